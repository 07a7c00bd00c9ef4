"""Scales of networks with delays, searched on samples: no worse than without, and as safe."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from delay_networks import delay_checkpoint

from asrc_core.contract.file import network_file
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.neurons.first_spike import LATEST
from asrc_core.contract.result import Result
from asrc_export import float_network
from asrc_export.chip import targets
from asrc_export.engines import numpy as engine
from asrc_export.exporting import export
from asrc_export.quantization import quantize, scale_choice
from asrc_export.quantization.search import delay_search
from asrc_export.samples.dataset_samples import calibration_for
from asrc_export.what_if.change import Change
from asrc_export.what_if.measure import Setting, measure
from asrc_train import data
from asrc_train.trained import checkpoint
from asrc_train.trained.freeze import FrozenNetwork, freeze

LOIHI2 = targets.load("loihi2")

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    """Of Yin-Yang, in steps of 1 ms."""
    return data.load("yin-yang", 1.0).train_x[:16]


def error(frozen: FrozenNetwork, bits: int, samples: np.ndarray, plan: quantize.Plan) -> float:
    """Of the integers that the plan stands for, run by another engine than the search may have used."""
    made = quantize.quantize(frozen, LOIHI2, bits=bits, plan=plan).network  # which proves that nothing saturates
    return error_of(made, frozen, samples)


def error_of(made: IntegerNetwork, frozen: FrozenNetwork, samples: np.ndarray) -> float:
    answers = engine.run(made, samples).logits.astype(np.float64)
    if made.layers[-1].neuron.kind == "first-spike":
        answers = np.maximum(answers, LATEST - made.steps)
    return delay_search.off(answers, float_network.logits(frozen, samples).astype(np.float64))


@pytest.mark.slow
@pytest.mark.parametrize(("readout", "bits"), [("exponential", 8), ("maximum", 4), ("first-spike", 8)])
def test_the_scales_found_answer_no_worse_than_those_without_samples(
    readout: str, bits: int, samples: np.ndarray
) -> None:
    frozen = freeze(delay_checkpoint(readout=readout))
    found = delay_search.search(frozen, LOIHI2, bits, samples)
    without = quantize.Plan(frozen, scale_choice.choose(frozen, LOIHI2, bits))
    assert found.measured[-1].error == pytest.approx(error(frozen, bits, samples, found.plan))
    assert found.measured[0].data_free == pytest.approx(error(frozen, bits, samples, without))
    assert found.measured[-1].error <= found.measured[0].data_free
    assert [each.name for each in found.measured] == ["layer0", "readout"]


def test_an_error_is_that_of_the_answers_whatever_their_unit_and_common_part() -> None:
    wanted = np.random.default_rng(0).normal(size=(20, 3))
    assert delay_search.off(7.0 * wanted + 3.0, wanted) == pytest.approx(0, abs=1e-6)
    assert delay_search.off(wanted + np.arange(20.0)[:, None], wanted) == pytest.approx(0, abs=1e-6)
    assert delay_search.off(-wanted, wanted) == 1
    assert delay_search.off(np.zeros((20, 3)), wanted) == 1


@pytest.mark.slow
def test_an_export_says_what_its_scales_were_searched_on(tmp_path: Path) -> None:
    checkpoint.save(delay_checkpoint(readout="first-spike"), tmp_path / "model.pt")
    made = export(tmp_path / "model.pt", "loihi2", tmp_path / "n.safetensors")
    assert [part.name for part in made.measured] == ["layer0", "readout"]
    stored = network_file.load(tmp_path / "n.safetensors").provenance["calibration"]
    assert stored["data"] == "yin-yang"
    assert stored["samples"] == delay_search.SAMPLES


def coarse() -> FrozenNetwork:
    """At 4 bits, its hidden layer is better off with a larger scale than that of the least rounding of weights."""
    settings = {"input_weights": [4.0, 1.0], "readout_weights": [0.0, 0.5], "hidden": [8], "recurrent": False}
    return freeze(delay_checkpoint(dt=0.25, readout="maximum", **settings))


def test_where_a_larger_scale_answers_better_the_search_finds_it() -> None:
    frozen = coarse()
    found = delay_search.search(frozen, LOIHI2, 4, data.load("yin-yang", 0.25).train_x[:24])
    (hidden,) = found.plan.scales.layers
    assert hidden.scale > scale_choice.choose(frozen, LOIHI2, 4).layers[0].scale
    assert found.measured[-1].error < 0.9 * found.measured[0].data_free


@pytest.mark.slow
def test_a_what_if_searches_the_scales_of_a_network_with_delays() -> None:
    frozen = coarse()
    dataset = calibration_for(frozen, "yin-yang")
    dataset = replace(dataset, train_x=dataset.train_x[:24], train_y=dataset.train_y[:24])
    ran: list[IntegerNetwork] = []

    def run(network: IntegerNetwork, x: np.ndarray) -> Result:
        ran.append(network)
        return engine.run(network, x)

    measure(frozen, Setting(LOIHI2, run, dataset, limit=2), model="m.pt", changes=(Change({"bits": Fraction(4)}),))
    _, four_bits = ran
    without = quantize.quantize(frozen, LOIHI2, bits=4).network
    assert error_of(four_bits, frozen, dataset.train_x) < 0.9 * error_of(without, frozen, dataset.train_x)
