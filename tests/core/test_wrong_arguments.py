"""Whatever a caller gives to the front door of asrc_core, what comes back is a sentence of one family of errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asrc_core
from asrc_core import Connection, InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.random_network import random_network
from asrc_core.errors import AsrcError

NETWORK = random_network(0, widths=(4,), spans=(2,), steps=3)
X = np.zeros((1, 3, 1), int)
LAYERS = NETWORK.layers


def made(**changes: Any) -> IntegerNetwork:
    whole: dict[str, Any] = {"input": NETWORK.input, "layers": LAYERS, "target": "t", "steps": 3}
    return IntegerNetwork(**{**whole, **changes})


def readout(**changes: Any) -> IntegerNetwork:
    whole: dict[str, Any] = {
        "name": "readout",
        "connections": (Connection("input", np.array([[2]]), 0, 8),),
        "neuron": Neuron("integrator", {"bias": np.array([0])}),
    }
    return made(layers=(Layer(**{**whole, **changes}),))


CALLS: list[tuple[str, Callable[[], Any]]] = [
    ("load None", lambda: asrc_core.load(None)),  # type: ignore[arg-type]
    ("load a number", lambda: asrc_core.load(3)),  # type: ignore[arg-type]
    ("load nothing", lambda: asrc_core.load("")),
    ("load bytes", lambda: asrc_core.load(b"x")),  # type: ignore[arg-type]
    ("load a folder", lambda: asrc_core.load(Path.cwd())),
    ("save None", lambda: asrc_core.save(None, "x")),  # type: ignore[arg-type]
    ("save nowhere", lambda: asrc_core.save(NETWORK, None)),  # type: ignore[arg-type]
    ("run None", lambda: asrc_core.run(None, X)),  # type: ignore[arg-type]
    ("run on None", lambda: asrc_core.run(NETWORK, None)),  # type: ignore[arg-type]
    ("run on text", lambda: asrc_core.run(NETWORK, "x")),  # type: ignore[arg-type]
    ("run on floats", lambda: asrc_core.run(NETWORK, X.astype(float))),
    ("run on a sample", lambda: asrc_core.run(NETWORK, X[0])),
    ("chain of None", lambda: asrc_core.chain(None)),  # type: ignore[arg-type]
    ("first difference", lambda: asrc_core.first_difference(NETWORK, None, None)),  # type: ignore[arg-type]
    ("require equal", lambda: asrc_core.require_equal(NETWORK, None, None, ("a", "b"))),  # type: ignore[arg-type]
    ("channels", lambda: InputFormat("1", 0, 1, 1.0)),  # type: ignore[arg-type]
    ("scale", lambda: InputFormat(1, 0, 1, None)),  # type: ignore[arg-type]
    ("scale of text", lambda: InputFormat(1, 0, 1, "1")),  # type: ignore[arg-type]
    ("source", lambda: Connection(None, np.array([[2]]), 0, 8)),  # type: ignore[arg-type]
    ("weights", lambda: Connection("input", None, 0, 8)),  # type: ignore[arg-type]
    ("exponent", lambda: Connection("input", np.array([[2]]), None, 8)),  # type: ignore[arg-type]
    ("taps", lambda: Connection("input", np.array([[2]]), 0, 8, None)),  # type: ignore[arg-type]
    ("a tap", lambda: Connection("input", np.array([[2]]), 0, 8, (1,))),  # type: ignore[arg-type]
    ("mapping", lambda: readout(connections=(Connection("input", np.array([[2]]), 0, 8, mapping="x"),))),  # type: ignore[arg-type]
    ("input", lambda: made(input=None)),
    ("layers", lambda: made(layers=None)),
    ("no layers", lambda: made(layers=())),
    ("a layer", lambda: made(layers=(1,))),
    ("target", lambda: made(target=None)),
    ("steps", lambda: made(steps="3")),
    ("permutation", lambda: made(permutation="abc")),
    ("provenance", lambda: made(provenance=None)),
    ("name", lambda: readout(name=3)),
    ("neuron", lambda: readout(neuron=None)),
    ("kind", lambda: readout(neuron=Neuron(None, {}))),  # type: ignore[arg-type]
    ("no such kind", lambda: readout(neuron=Neuron("none", {}))),
    ("parameters", lambda: readout(neuron=Neuron("integrator", None))),  # type: ignore[arg-type]
    ("bias", lambda: readout(neuron=Neuron("integrator", {"bias": "x"}))),
    ("connections", lambda: readout(connections=None)),
    ("no connections", lambda: readout(connections=())),
    ("a connection", lambda: readout(connections=(3,))),
    ("scale of a layer", lambda: readout(scale="1")),
]


def test_what_is_right_is_taken() -> None:
    assert made().steps == 3
    assert readout().classes == 1


@pytest.mark.parametrize(("what", "call"), CALLS, ids=[what for what, _ in CALLS])
def test_a_wrong_argument_is_a_sentence(what: str, call: Callable[[], Any]) -> None:
    with pytest.raises(AsrcError) as error:
        call()
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)
