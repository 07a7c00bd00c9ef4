"""Leaks that 12 bits hold badly are told, with their numbers, and refused where that is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from asrc_core.contract.synapses.connection import INPUT
from asrc_core.errors import InvalidSetting
from asrc_export.checks import leaks
from asrc_export.chip import targets
from asrc_export.quantization import quantize
from asrc_train.trained.frozen import FrozenConnection, FrozenLayer, FrozenNetwork, skip_layer


def told(decay: float) -> list[str]:
    layer = skip_layer(
        "layer0",
        np.full((2, 1), 0.1),
        np.zeros((2, 2)),
        np.zeros(2),
        source=INPUT,
        span=1,
        decay_factor=decay,
        threshold=1.0,
        reset="hard",
    )
    frozen = FrozenNetwork((layer,), np.ones((2, 2)), np.zeros(2), 1, 20, 1.0, 1, None, {})
    made = quantize.quantize(frozen, targets.load("loihi2")).network
    return list(leaks.badly_rounded(frozen.layers, made.hidden))


@pytest.mark.parametrize("decay", [0.0, 1e-4, 0.5, 0.9, 0.99, 1 - 10 / 4096, 1.0])
def test_decays_that_12_bits_hold_are_not_mentioned(decay: float) -> None:
    assert told(decay) == []


def test_a_leak_that_rounds_to_none_is_told() -> None:
    (said,) = told(1 - 1e-4)
    assert said == (
        "layer 'layer0': its decay factor of 0.9999 (a time constant of 9,999 steps) rounds to no leak at all"
    )


def test_a_time_constant_that_is_off_by_more_than_a_tenth_is_told_with_both_and_refused_if_asked() -> None:
    sentences = told(1 - 1.4 / 4096)
    assert len(sentences) == 1
    assert "a time constant of 4,095 steps for 2,925" in sentences[0]
    with pytest.raises(InvalidSetting, match=r"`strict`: layer 'layer0': .* 4,095 steps for 2,925"):
        leaks.require_kept(sentences)
    leaks.require_kept([])


def one(kind: str = "lif", **constants: Any) -> FrozenNetwork:
    """One layer without a loop, and a readout that adds up."""
    own = constants or {"decay_factor": 0.5, "reset": "hard"}
    source = (FrozenConnection(INPUT, np.full((2, 1), 0.1)),)
    layer = FrozenLayer("layer0", source, kind, {"bias": np.zeros(2), "threshold": 1.0, **own})
    return FrozenNetwork((layer,), np.ones((2, 2)), np.zeros(2), 1, 20, 1.0, 1, None, {})


def test_a_readout_whose_leak_rounds_to_none_is_told_too() -> None:
    kept = {"decay_factor": 1 - 1e-4, "current_decay_factor": 0.5}
    heard = (FrozenConnection("layer0", np.ones((2, 2))),)
    decides = FrozenLayer("readout", heard, "integrator", {"bias": np.zeros(2), **kept})
    frozen = replace(one(), decides=decides)
    made = quantize.quantize(frozen, targets.load("loihi2")).network
    (said,) = leaks.of_network(frozen, made)
    assert said.startswith("layer 'readout': its decay factor of 0.9999")
    assert list(leaks.of_network(one(), quantize.quantize(one(), targets.load("loihi2")).network)) == []


def test_a_share_of_16_bits_that_rounds_to_all_is_told() -> None:
    constants = {"leak": 0.0, "hearing": 1.0, "kept": 1 - 1e-6, "kept_fired": 0.0, "drop": 0.0}
    frozen = one("glif", **constants)
    made = quantize.quantize(frozen, targets.load("loihi2")).network
    (said,) = leaks.of_network(frozen, made)
    assert said.startswith("layer 'layer0': its share kept in a step of 0.999999 ")
    assert said.endswith("rounds to no leak at all")


@pytest.mark.parametrize(("coupling", "says"), [(1e-6, "rounds to none at all"), (2e-5, "of 2e-05 rounds to 1.5")])
def test_a_coupling_that_rounds_to_none_or_to_another_is_told(coupling: float, says: str) -> None:
    sentences = []
    for inward, onward in ((coupling, 0.5), (0.5, coupling), (0.5, 0.5), (0.0, 0.5)):
        frozen = one("tc-lif", inward=inward, onward=onward, drop=0.5)
        sentences += list(leaks.of_network(frozen, quantize.quantize(frozen, targets.load("loihi2")).network))
    assert len(sentences) == 2
    assert sentences[0].startswith("layer 'layer0': its coupling from soma to dendrite ")
    assert sentences[1].startswith("layer 'layer0': its coupling from dendrite to soma ")
    assert all(says in each for each in sentences)


def test_a_lasting_current_of_a_readout_that_never_fades_is_refused_by_its_own_name() -> None:
    heard = (FrozenConnection("layer0", np.ones((2, 2))),)
    for kept, fades in ((1 - 1e-5, False), (1.0, False), (1 - 2 / 4096, True)):
        constants = {"bias": np.zeros(2), "decay_factor": 0.5, "current_decay_factor": kept}
        frozen = replace(one(), decides=FrozenLayer("readout", heard, "integrator", constants))
        if fades:
            quantize.quantize(frozen, targets.load("loihi2"))
            continue
        with pytest.raises(InvalidSetting, match=r"'readout': its current keeps .* never fades .* let it keep 0\.9997"):
            quantize.quantize(frozen, targets.load("loihi2"))
