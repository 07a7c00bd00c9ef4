"""What the metadata of our own files say, once checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting
from asrc_export.interop.imported import Feed
from asrc_export.interop.nir.nir_graph import Flat


def number(metadata: dict[str, Any], key: str, where: str) -> float:
    """A number of the metadata. Raises InvalidSetting for what is none, or not from 0 to 2^31."""
    value = metadata.get(key)
    if not isinstance(value, int | float | np.integer | np.floating) or not 0 <= value < 2**31:
        raise InvalidSetting("NIR graph", f"metadata '{key}' of {where} is missing or not a number")
    return float(value)


def stated_feed(metadata: dict[str, Any], scale: float | None) -> Feed:
    """What the network is fed. Raises InvalidSetting."""
    data = metadata.get("data")
    steps, maximum = (number(metadata, key, "the graph") for key in ("steps", "input_maximum"))
    return Feed(str(data) if data is not None else None, int(steps), int(maximum), scale)


def step_order(metadata: dict[str, Any]) -> NDArray[np.int64] | None:
    """The order in which a sample's steps are fed, if another than their own. Raises InvalidSetting."""
    order = metadata.get("permutation")
    if order is None:
        return None
    steps = int(number(metadata, "steps", "the graph"))
    array = np.asarray(order)
    if array.dtype.kind not in "iu" or not np.array_equal(np.sort(array, axis=None), np.arange(steps)):
        raise InvalidSetting("NIR graph", f"its metadata's permutation is not an order of {plural(steps, 'step')}")
    return array.astype(np.int64)


def without_scale(flat: Flat, metadata: dict[str, Any]) -> float:
    """Take the input's Scale out of a graph of ours: it is the scale of the integers fed."""
    after = [b for a, b in flat.edges if a in flat.inputs]
    node = flat.nodes[after[0]] if len(after) == 1 else None
    scale = number(metadata, "input_scale", "the graph")
    if node is None or type(node).__name__ != "Scale" or (np.asarray(node.scale) != scale).any():
        raise InvalidSetting("NIR graph", "its metadata and its input disagree; the file was changed after asrc-export")
    node.scale = np.ones_like(node.scale)
    return scale
