"""C++ over bit-packed spikes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from asrc_train.kernels.layer import SkipLayer


def why_not(x: Tensor, layers: Sequence[SkipLayer]) -> str | None:
    """Why this kernel cannot run here."""
    return "it is not built"
