"""Several spans at once: whole weights for the taps, and the integer network that taps them as the float one does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asrc_core.contract.chain import chain
from asrc_core.contract.numbers import MAX_MESSAGE, MAX_TAPS
from asrc_core.errors import InvalidSetting, RulesBroken
from asrc_export import report
from asrc_export.chip import targets
from asrc_export.engines import numpy as engine
from asrc_export.engines import select
from asrc_export.exporting import export
from asrc_export.quantization import quantize, scale_choice, taps
from asrc_export.quantization.training.quantized_network import QuantizedNetwork
from asrc_export.report import schema
from asrc_export.report.render import formats
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.trained.frozen import FrozenLayer, FrozenNetwork, WeightedTap, skip_layer

LOIHI2 = targets.load("loihi2")

some_weights = st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=MAX_TAPS)


def layer(*weighed: tuple[int, float]) -> FrozenLayer:
    rng = np.random.default_rng(0)
    heard = tuple(WeightedTap(*each) for each in weighed)
    return skip_layer(
        "layer0",
        rng.normal(size=(5, 2)),
        rng.normal(size=(5, 5)),
        rng.normal(size=5),
        decay_factor=0.5,
        threshold=1.0,
        reset="soft",
        span=max(span for span, _ in weighed),
        taps=heard,
    )


def network(*layers: FrozenLayer) -> FrozenNetwork:
    rng = np.random.default_rng(1)
    return FrozenNetwork(layers, rng.normal(size=(3, 5)), rng.normal(size=3), 2, 20, 1 / 16, 16, None, {})


@settings(deadline=None, max_examples=300)
@given(some_weights)
def test_every_share_is_kept_within_its_bound_by_a_sum_that_a_message_holds(weights: list[float]) -> None:
    found = taps.apportioned(np.array(weights))
    shares = np.array(weights) / np.sum(weights)
    assert (found >= 0).all()
    assert 1 <= found.sum() <= MAX_MESSAGE
    assert np.abs(found / found.sum() - shares).max() <= taps.MAX_SHARE_ERROR


@pytest.mark.parametrize(
    ("weights", "expected"),
    [([0.5, 0.5], [1, 1]), ([3.0, 1.0], [3, 1]), ([0.7, 0.2, 0.1], [7, 2, 1]), ([0.999, 0.001], [1, 0])],
)
def test_simple_shares_get_small_numbers(weights: list[float], expected: list[int]) -> None:
    assert taps.apportioned(np.array(weights)).tolist() == expected


@settings(deadline=None, max_examples=60)
@given(some_weights, st.integers(0, 2**31))
def test_whole_weights_and_the_scaled_matrix_hear_what_the_float_layer_hears(weights: list[float], seed: int) -> None:
    """U r[t] for any spikes, within the share's bound times the sum of the weights."""
    rng = np.random.default_rng(seed)
    spans = rng.permutation(32)[: len(weights)] + 1
    before = layer(*zip(spans.tolist(), weights, strict=True))
    (after,) = taps.whole(network(before)).layers
    spikes = rng.integers(0, 2, (33, 5))
    heard = after.taps or (WeightedTap(after.span, 1.0),)
    first, second = (
        u @ sum(weight * spikes[-span] for span, weight in each)
        for u, each in ((before.recurrent, before.taps), (after.recurrent, heard))
    )
    bound = np.abs(before.recurrent).sum(axis=1) * sum(weights) * len(weights) * taps.MAX_SHARE_ERROR
    assert (np.abs(first - second) <= bound * (1 + 1e-9)).all()
    assert after.span == max(span for span, _ in heard)
    assert taps.whole(network(after)).layers[0] is after


def test_a_tap_that_weighs_next_to_nothing_is_not_heard_and_one_left_is_a_span() -> None:
    (made,) = taps.whole(network(layer((2, 0.9995), (30, 0.0005)))).layers
    assert (made.taps, made.span) == ((), 2)
    np.testing.assert_allclose(made.recurrent, layer((2, 1.0)).recurrent)


def test_whole_weights_stay_and_a_layer_with_one_span_is_the_same_object() -> None:
    kept = layer((2, 3.0), (9, 1.0))
    plain = layer((9, 1.0))
    assert all(a is b for a, b in zip(taps.whole(network(kept, plain)).layers, (kept, plain), strict=True))


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (layer(*((j + 1, 0.1) for j in range(9))), "layer 'layer0': it taps 9 spans at once.*8 places at most"),
        (layer((2, 0.5), (2, 0.5)), "not all different"),
        (layer((2, 0.5), (3, -0.5)), "not all positive"),
        (layer((2, 0.5), (3, 0.0)), "not all positive"),
        (layer((2, float("nan")), (3, 0.5)), "not all positive"),
        (layer((2, float("inf")), (3, 0.5)), "not all positive"),
    ],
)
def test_taps_that_no_message_holds_are_refused_by_layer(broken: FrozenLayer, says: str) -> None:
    with pytest.raises(InvalidSetting, match=says):
        taps.whole(network(broken))


@pytest.fixture(scope="module")
def several(trained: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A k-ASRC checkpoint: its first layer taps 3 and 9 steps back, the kernels of its second have chosen alike."""
    settings = trained.config.network.model_copy(update={"connection": "k-asrc", "kernels": 2})
    tensors = {name: tensor for name, tensor in trained.tensors.items() if "connection" not in name}
    for i, (spans, weights) in enumerate((((3, 9), (1.2, 0.2)), ((5, 5), (0.0, 0.0)))):
        logits = torch.zeros(2, settings.kernel_length)
        logits[[0, 1], [span - 1 for span in spans]] = 4.0
        tensors[f"layers.{i}.connection.span_logits"] = logits
        tensors[f"layers.{i}.connection.weight_logits"] = torch.tensor(weights)
    config = trained.config.model_copy(update={"network": settings})
    path = tmp_path_factory.mktemp("several") / "model.pt"
    checkpoint.save(replace(trained, config=config, spans=(9, 5), tensors=tensors), path)
    return path


@pytest.mark.slow
def test_a_checkpoint_with_several_taps_is_deployed_and_reported_as_such(several: Path) -> None:
    made = export(several, "loihi2")
    first, second = chain(made.network).layers
    assert [tap.span for tap in first.taps] == [3, 9]
    assert (second.taps, second.span) == ((), 5)
    logged = [line for line in made.rounding if "tap" in line.parameter]
    assert [line.parameter for line in logged] == ["weight of the tap 3 steps back", "weight of the tap 9 steps back"]
    assert [line.integer for line in logged] == [tap.weight for tap in first.taps]
    assert sum(line.effective for line in logged) == pytest.approx(1.0)
    assert all(abs(line.error) <= taps.MAX_SHARE_ERROR for line in logged)
    made_of_it = report.make_from_files(made.path, several, select.engine("numpy"), limit=20)
    assert [(tap.span, tap.weight) for tap in made_of_it.layers[0].taps] == list(first.taps)
    written = json.loads(formats.as_json(made_of_it))
    jsonschema.validate(written, schema.schema())
    assert written["layers"][0]["taps"] == [tap._asdict() for tap in first.taps]
    assert "taps" not in written["layers"][1]
    assert {stage.name: stage.agreement for stage in made_of_it.ablation.stages}["deployed"] > 0.5
    for suffix in (".md", ".html"):
        report.write(made_of_it, made.path.with_suffix(suffix))
        assert f"{first.taps[0].weight} x 3, {first.taps[1].weight} x 9" in made.path.with_suffix(suffix).read_text()


@pytest.mark.slow
def test_where_graded_spikes_or_the_delay_line_are_missing_several_spans_are_refused(several: Path) -> None:
    with pytest.raises(RulesBroken, match=r"layer0: A layer that taps several spans.*loihi2"):
        export(several, "loihi1")
    with pytest.raises(InvalidSetting, match=r"`mapping='synaptic-delay'`: .*'layer0' taps 2 spans.*use delay-line"):
        export(several, "loihi2", mapping="synaptic-delay")


@pytest.mark.parametrize("bits", [8, 4])
def test_what_is_fine_tuned_with_several_spans_is_what_the_integer_network_computes(several: Path, bits: int) -> None:
    begun = checkpoint.load(several)
    chosen = scale_choice.choose(freeze(begun), LOIHI2, bits, to_train=True)
    tuned = QuantizedNetwork(begun, chosen, LOIHI2).eval()
    kept = replace(begun, provenance={**begun.provenance, **chosen.carried()})
    network = quantize.quantize(freeze(kept), LOIHI2, bits=bits).network
    assert len(network.layers[0].connections[1].taps) == 2
    x = np.random.default_rng(bits).integers(0, 17, (6, network.steps, 1))
    logits, spikes = tuned.accumulated(torch.from_numpy(x.astype(np.float32)).transpose(0, 1))
    result = engine.run(network, x, trace=True)
    assert result.trace is not None
    for mine, theirs in zip(spikes, result.trace.layers, strict=True):
        assert np.array_equal(mine.detach().numpy(), theirs.spikes)
    assert np.array_equal(logits.detach().numpy(), result.logits)
    logits.square().sum().backward()
    recurrent = tuned.get_parameter("layers.0.recurrent.weight")
    assert recurrent.grad is not None
    assert recurrent.grad.any()
