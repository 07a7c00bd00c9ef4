"""Contents of memories as text that every tool reads."""

from __future__ import annotations

from collections.abc import Iterable


def hex_file(values: Iterable[int], bits: int) -> str:
    """One word a line, two's complement."""
    mask, digits = (1 << bits) - 1, -(-bits // 4)
    return "".join(f"{value & mask:0{digits}x}\n" for value in values)
