"""Placement: which neurons sit on which neuro-core of which chip, within every budget and on few cores."""

from asrc_export.chip.placement.compared import compared
from asrc_export.chip.placement.place import place, place_if_possible
from asrc_export.chip.placement.placed import Core, Placement, Share
from asrc_export.chip.placement.traffic import Route, Seat

__all__ = ["Core", "Placement", "Route", "Seat", "Share", "compared", "place", "place_if_possible"]
