"""What every modelled figure carries: that it is modelled, and its sources."""

from __future__ import annotations

from collections.abc import Iterable

from asrc_export.chip.targets import Quantity

MODELLED = "modelled"
"""Never measured, and never a joule without a source."""


def sources_of(prices: Iterable[Quantity]) -> tuple[str, ...]:
    """Where prices come from, each source once, in their order."""
    return tuple(dict.fromkeys(source for price in prices for source in price.sources))
