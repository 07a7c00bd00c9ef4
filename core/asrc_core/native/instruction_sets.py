"""Which instruction set the native libraries use: the best that the machine has, or the one that is asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence

from asrc_core.errors import InvalidSetting, UnknownName

VARIABLE = "ASRC_ISA"
KNOWN = ("avx512", "avx2", "neon", "baseline")
"""Best first. A library has those of its architecture, a machine some of them."""


def chosen(have: Sequence[str]) -> str:
    """The one that ``ASRC_ISA`` names, or else the first of those that run here.

    Raises UnknownName for a name there is not, InvalidSetting for one that this machine lacks.
    """
    name = os.environ.get(VARIABLE, "") or have[0]
    if name not in KNOWN:
        raise UnknownName(f"instruction set in {VARIABLE}", name, KNOWN)
    if name not in have:
        raise InvalidSetting(VARIABLE, f"this machine has no {name}; it has {', '.join(have)}")
    return name
