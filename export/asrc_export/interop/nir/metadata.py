"""What the metadata of our own files say, once checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.numbers import MAX_TABLE
from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting
from asrc_export.interop.imported import Feed
from asrc_export.interop.nir.frameworks.readings import Answer
from asrc_export.interop.nir.nir_graph import Flat


def number(metadata: dict[str, Any], key: str, where: str) -> float:
    """A number of the metadata. Raises InvalidSetting for what is none, or not from 0 to 2^31."""
    value = metadata.get(key)
    if not isinstance(value, int | float | np.integer | np.floating) or not 0 <= value < 2**31:
        raise InvalidSetting("NIR graph", f"metadata '{key}' of {where} is missing or not a number")
    return float(value)


def each_number(
    metadata: dict[str, Any], key: str, where: str, width: int, *, signed: bool = False
) -> float | NDArray[np.float64]:
    """A number, or one for each of so many neurons. Raises InvalidSetting for what is neither, or not from 0 to 2^31;
    ``signed``: below 0, too.
    """
    value = metadata.get(key)
    if isinstance(value, np.ndarray) and value.shape == (width,) and value.dtype.kind in "fiu":
        wide = value.astype(np.float64)
        if (wide < 2**31).all() and (wide > -(2**31) if signed else wide >= 0).all():
            return wide
    elif not signed:
        return number(metadata, key, where)
    raise InvalidSetting("NIR graph", f"metadata '{key}' of {where} is not a number for each neuron")


def stated_answer(metadata: dict[str, Any]) -> tuple[Answer, list[float] | None]:
    """What of a leaky readout's membrane is the logits, and how its steps are weighted. Raises InvalidSetting."""
    answer = metadata.get("answer", "sum")
    text = answer.decode("utf8", "replace") if isinstance(answer, bytes) else str(answer)
    weights = metadata.get("time_weights")
    known: dict[str, Answer] = {"sum": "sum", "last": "last", "maximum": "maximum"}
    if text not in known:
        raise InvalidSetting("NIR graph", f"its metadata's answer is '{text:.20}', and we know sum, last and maximum")
    if weights is None:
        return known[text], None
    array = np.asarray(weights)
    if text != "sum" or array.ndim != 1 or not 0 < array.size <= MAX_TABLE or array.dtype.kind not in "fiu":
        raise InvalidSetting("NIR graph", f"its metadata's time_weights are not up to {MAX_TABLE} numbers of a sum")
    return known[text], array.astype(np.float64).tolist()


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
