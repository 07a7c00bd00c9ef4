"""What a printed file keeps: constants in flash, one structure of state in RAM; both counted as they are printed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from asrc_core.contract.numbers import Ints

ROW = 12
"""Numbers a line."""
SIGNED = (8, 16, 32, 64)


def narrowest(low: int, high: int) -> int:
    """Bits of the narrowest signed type that holds both."""
    return next(bits for bits in SIGNED if -(2 ** (bits - 1)) <= low and high < 2 ** (bits - 1))


class Constant(NamedTuple):
    """An array in flash: its declaration, and how many bytes it takes."""

    name: str
    text: str
    size: int


@dataclass
class Memory:
    """Constants and members so far, as text, and their bytes."""

    constants: list[Constant] = field(default_factory=list)
    members: list[tuple[int, str]] = field(default_factory=list)
    flash: int = 0
    ram: int = 0

    def constant(self, name: str, type_: str, values: Sequence[int] | Ints | Any) -> None:
        """``static const`` numbers of a type such as uint32_t."""
        plain = np.asarray(values).tolist()
        rows = (", ".join(map(str, plain[i : i + ROW])) for i in range(0, len(plain), ROW))
        body = ",\n    ".join(rows)
        text = f"static const {type_} {name}[{len(plain)}] = {{\n    {body}}};\n"
        self._keep(Constant(name, text, len(plain) * width_of(type_)))

    def take(self, other: Memory, reader: str) -> None:
        """The other's constants, as far as the text of ``reader`` has them."""
        for each in other.constants:
            if re.search(rf"\b{each.name}\b", reader):
                self._keep(each)

    def _keep(self, constant: Constant) -> None:
        self.constants.append(constant)
        self.flash += constant.size

    def numbers(self, name: str, values: Ints) -> str:
        """Signed numbers in as few bits as hold them, less the zeros at their ends; the text of entry [n]."""
        low, high = int(values.min()), int(values.max())
        places = min((v & -v).bit_length() - 1 for v in map(int, np.abs(values)) if v) if np.any(values) else 0
        bits, less = narrowest(low, high), narrowest(low >> places, high >> places)
        if less == bits or bits == 64:
            self.constant(name, f"int{bits}_t", values)
            return f"{name}[n]"
        self.constant(name, f"int{less}_t", values >> places)
        return f"({name}[n] * {2**places})"

    def member(self, type_: str, name: str, *sizes: int) -> str:
        """An array (or a number) of the state; how the text names it."""
        brackets = "".join(f"[{size}]" for size in sizes)
        self.members.append((width_of(type_), f"{type_} {name}{brackets};"))
        self.ram += width_of(type_) * int(np.prod(sizes, dtype=np.int64))
        return f"asrc_state.{name}"

    @property
    def structure(self) -> str:
        """The structure's members, the widest first, so that nothing lies between them."""
        return "\n".join(f"    {text}" for _, text in sorted(self.members, key=lambda each: -each[0]))


def width_of(type_: str) -> int:
    """Bytes of a type of a fixed width."""
    if type_ in ("asrc_event", "asrc_value"):
        raise AssertionError("its width is the program's to choose")
    return int("".join(filter(str.isdigit, type_))) // 8
