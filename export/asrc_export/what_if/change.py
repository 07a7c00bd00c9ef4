"""A change to a network: fewer bits, shorter spans, narrower layers, each as a share or as the most there may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from asrc_core.errors import InvalidSetting

ASPECTS = ("bits", "span", "width")
"""What can be changed."""


@dataclass(frozen=True)
class Change:
    """What is made smaller, by aspect, and by how much; nothing for the network as it is.

    A number below 1 is a share of what is there, rounded down; a whole number is the most there may be. Neither makes
    anything larger, and spans and widths stay at least 1.
    """

    amounts: Mapping[str, Fraction] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The change in words."""
        return ", ".join(_words(aspect, amount) for aspect, amount in self.amounts.items()) or "as it is"

    def of(self, aspect: str, size: int) -> int:
        """What becomes of a size of that aspect."""
        amount = self.amounts.get(aspect)
        if amount is None or size == 0:
            return size
        return min(size, max(1, int(amount * size))) if amount < 1 else min(size, int(amount))


NOTHING = Change()
HALVES = tuple(Change({aspect: Fraction(1, 2)}) for aspect in ASPECTS)
"""Half the bits, half the span, half the width: what is asked when nothing else is."""


def parse(text: str) -> Change:
    """The change that a text such as ``bits=4,span=1/2`` describes. Raises InvalidSetting."""
    if not isinstance(text, str):
        raise _unknown(text, "it is no text")
    amounts: dict[str, Fraction] = {}
    for part in text.split(","):
        aspect, equals, amount = (each.strip() for each in part.partition("="))
        if not equals or aspect not in ASPECTS or aspect in amounts:
            raise _unknown(text, f"'{part.strip()}' is not one of {', '.join(f'{each}=N' for each in ASPECTS)}")
        amounts[aspect] = _amount(text, amount)
    return Change(amounts)


def _amount(text: str, amount: str) -> Fraction:
    try:
        found = Fraction(amount) if len(amount) <= 16 and "e" not in amount.lower() else None
    except (ValueError, ZeroDivisionError):
        found = None
    if found is None or found <= 0 or (found >= 1 and found.denominator != 1):
        raise _unknown(text, f"'{amount}' is neither a share such as 1/2 nor a whole number from 1 on")
    return found


def _unknown(text: str, why: str) -> InvalidSetting:
    return InvalidSetting(f"`change` '{text}'", f"{why}; write bits=4, span=1/2 or bits=4,span=8")


def _words(aspect: str, amount: Fraction) -> str:
    if amount == Fraction(1, 2):
        return f"half the {aspect}"
    return f"{amount} of the {aspect}" if amount < 1 else f"{aspect} at most {amount}"
