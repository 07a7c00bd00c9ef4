"""What is wrong with a node, and its parameters as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from asrc_core.errors import InvalidSetting
from asrc_train.trained.frozen import Floats


def broken(node: str, why: str) -> InvalidSetting:
    """The error for a node that our networks have no place for."""
    return InvalidSetting(f"NIR node '{node}'", why)


def numbers(node: str, parameter: str, values: Any) -> Floats:
    """A parameter in double precision. Raises InvalidSetting unless it is finite numbers."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise broken(node, f"its {parameter} is not numbers")
    wide = array.astype(np.float64)
    if not np.isfinite(wide).all():
        raise broken(node, f"its {parameter} holds NaN or infinity")
    return wide
