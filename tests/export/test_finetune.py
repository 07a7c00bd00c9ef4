"""Quantization-aware training: what is trained is, integer for integer, what is exported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asrc_core.contract.network import Neuron
from asrc_core.errors import AsrcError, InvalidData, InvalidSetting, ParityBroken, RulesBroken, UnwritableOutput
from asrc_export.chip import targets
from asrc_export.commands import export as cli_export
from asrc_export.engines import numpy as engine
from asrc_export.exporting import export
from asrc_export.quantization import quantize, scale_choice, scales
from asrc_export.quantization.scales import PROVENANCE_KEY, Scales
from asrc_export.quantization.training import finetune
from asrc_export.quantization.training.quantized_network import QuantizedNetwork
from asrc_export.samples.dataset_samples import dataset_for
from asrc_train.network.model import SkipRecurrentNetwork
from asrc_train.settings.config import validated
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.training.fit import BatchDone, Epoch

LOIHI2 = targets.load("loihi2")


pytestmark = pytest.mark.usefixtures("one_thread")


def float_checkpoint(seed: int, *, maximum: int = 16, **network: Any) -> Checkpoint:
    """A random network of two layers, its recurrence strong enough to be heard."""
    settings: dict[str, Any] = {"connection": "src", "hidden": (9, 7), "span": 3, **network}
    config = validated({"data": {"name": "digits"}, "network": settings}, "test")
    torch.manual_seed(seed)
    made = SkipRecurrentNetwork(2, 4, config.network)
    tensors = {name: tensor.detach() for name, tensor in made.state_dict().items()}
    for i in range(2):
        torch.nn.init.normal_(tensors[f"layers.{i}.recurrent.weight"], std=0.4)
        torch.nn.init.uniform_(tensors[f"layers.{i}.feedforward.bias"], -0.2, 0.5)
    spans = tuple(made.spans)
    return Checkpoint(config, 2, 4, 30, 1 / maximum, maximum, spans, 1.0, tensors, None, [], {}, {})


def samples(seed: int, maximum: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.random.default_rng(seed).integers(0, maximum + 1, (6, 30, 2))


def gradients_of(network: SkipRecurrentNetwork, x: torch.Tensor) -> dict[str, torch.Tensor]:
    named = dict(network.named_parameters())
    loss = torch.nn.functional.cross_entropy(network(x), torch.arange(6) % 4)
    return dict(zip(named, torch.autograd.grad(loss, list(named.values())), strict=True))


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    bits=st.integers(2, 8),
    maximum=st.sampled_from([1, 16, 255]),
    decay=st.sampled_from([0.0, 0.5, 0.75, 0.9]),
    reset=st.sampled_from(["soft", "hard"]),
    threshold=st.sampled_from([0.6, 1.0, 1.7]),
    grown=st.sampled_from([1.0, 1.1]),
)
def test_a_quantized_network_and_its_export_fire_the_same_spikes(
    seed: int, bits: int, maximum: int, decay: float, reset: Any, threshold: float, grown: float
) -> None:
    start = float_checkpoint(seed, maximum=maximum, decay=decay, reset=reset, threshold=threshold)
    chosen = scale_choice.choose(freeze(start), LOIHI2, bits, to_train=True)
    # Weights move on in training, some beyond what the grids hold.
    moved = {name: tensor * grown for name, tensor in start.tensors.items()}
    trained = replace(start, tensors=moved, provenance=chosen.carried())
    network = quantize.quantize(freeze(trained), LOIHI2, bits=bits).network
    x = samples(seed, maximum)
    expected = engine.run(network, x, trace=True)
    assert expected.trace is not None
    with torch.no_grad():
        y, spikes = QuantizedNetwork(trained, chosen, LOIHI2).accumulated(torch.from_numpy(x).float().transpose(0, 1))
    for mine, layer in zip(spikes, expected.trace.layers, strict=True):
        assert np.array_equal(mine.numpy(), layer.spikes)
    assert np.array_equal(y.numpy(), expected.logits)


def test_the_quantized_network_is_exact_in_real_input_too_and_agrees_on_its_integers() -> None:
    start = float_checkpoint(5, maximum=255)
    chosen = scale_choice.choose(freeze(start), LOIHI2, 4, to_train=True)
    trained = replace(start, provenance=chosen.carried())
    network = quantize.quantize(freeze(trained), LOIHI2, bits=4).network
    quantized = QuantizedNetwork(trained, chosen, LOIHI2)
    x = torch.from_numpy(samples(1, 255)).float().transpose(0, 1)
    logits, _ = quantized.traced(x * start.scale)
    expected = engine.run(network, samples(1, 255))
    assert np.array_equal(logits.detach().numpy() * network.readout.scale, expected.logits)
    assert np.array_equal(logits.detach().numpy().argmax(1), expected.predictions)
    layers, readout = quantized.integers()
    for mine, theirs in zip(layers, network.hidden, strict=True):
        for before, after in zip(mine.connections, theirs.connections, strict=True):
            assert np.array_equal(before.weights, after.weights)
        assert np.array_equal(mine.neuron.parameters["bias"], theirs.neuron.parameters["bias"])
    assert np.array_equal(readout.weight, network.readout.connections[0].weights)


def test_a_layer_fed_with_large_numbers_trains_with_recurrent_sums_that_are_floored() -> None:
    start = replace(float_checkpoint(4, maximum=255), scale=1 / 16)
    start.tensors["layers.0.feedforward.weight"] *= 12
    chosen = scale_choice.choose(freeze(start), LOIHI2, 4, to_train=True)
    assert chosen.layers[0].recurrent_exponent < 0
    trained = replace(start, provenance=chosen.carried())
    network, x = quantize.quantize(freeze(trained), LOIHI2, bits=4).network, samples(2, 255)
    expected = engine.run(network, x, trace=True)
    assert expected.trace is not None
    quantized = QuantizedNetwork(trained, chosen, LOIHI2)
    with torch.no_grad():
        y, spikes = quantized.accumulated(torch.from_numpy(x).float().transpose(0, 1))
    for mine, layer in zip(spikes, expected.trace.layers, strict=True):
        assert layer.spikes.any()
        assert np.array_equal(mine.numpy(), layer.spikes)
    assert np.array_equal(y.numpy(), expected.logits)
    found = gradients_of(quantized.train(), torch.from_numpy(x).float().transpose(0, 1) * start.scale)
    assert all(gradient.isfinite().all() and gradient.abs().sum() > 0 for gradient in found.values())


def test_every_weight_within_the_grid_learns_and_none_beyond_it() -> None:
    start = float_checkpoint(3)
    chosen = scale_choice.choose(freeze(start), LOIHI2, 4, to_train=True)
    start.tensors["layers.1.recurrent.weight"][0, 0] = 50.0
    network = QuantizedNetwork(start, chosen, LOIHI2).train()
    x = torch.from_numpy(samples(0, 16)).float().transpose(0, 1) * start.scale
    gradients = gradients_of(network, x)
    assert all(gradient.abs().sum() > 0 for gradient in gradients.values())
    recurrent = gradients["layers.1.recurrent.weight"]
    assert recurrent[0, 0] == 0
    assert recurrent[0, 1:].abs().sum() > 0


def test_at_many_bits_gradients_are_nearly_those_of_the_float_network() -> None:
    """Same spikes at 8 bits, so the only difference is the rounding of the weights and the membrane."""
    start = float_checkpoint(8)
    chosen = scale_choice.choose(freeze(start), LOIHI2, 8, to_train=True)
    x = torch.from_numpy(samples(0, 16)).float().transpose(0, 1) * start.scale
    networks = start.network().train(), QuantizedNetwork(start, chosen, LOIHI2).train()
    mine, theirs = (torch.cat([g.flatten() for g in gradients_of(each, x).values()]) for each in networks)
    assert torch.nn.functional.cosine_similarity(mine, theirs, dim=0) > 0.9


def test_scales_to_train_at_never_floor_the_recurrent_sum_and_leave_room() -> None:
    for bits in (8, 4, 3):
        start = float_checkpoint(bits)
        chosen = scale_choice.choose(freeze(start), LOIHI2, bits, to_train=True)
        assert all(layer.recurrent_exponent >= 0 for layer in chosen.layers)
        doubled = replace(start, tensors={n: t * 1.5 for n, t in start.tensors.items()}, provenance=chosen.carried())
        quantize.quantize(freeze(doubled), LOIHI2, bits=bits)  # no membrane of the grown network can saturate


@pytest.fixture(scope="module")
def tuned(checkpoint_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared small checkpoint, fine-tuned at 4 bits for one epoch."""
    out = tmp_path_factory.mktemp("tuned") / "model.qat.pt"
    finetune.finetune(checkpoint_path, "loihi2", out, epochs=1, bits=4)
    return out


def test_the_export_of_a_fine_tuned_checkpoint_fires_its_spikes_on_the_whole_test_split(
    tuned: Path, tmp_path: Path
) -> None:
    exported = export(tuned, "loihi2", tmp_path / "n.safetensors", bits=4)
    result = finetune.require_same_spikes(tuned, LOIHI2, exported.network)
    assert sum(result.spikes_per_layer) > 1000, "the network should be alive"
    trained = checkpoint.load(tuned)
    labels = dataset_for(exported.network).test_y
    assert trained.scores["test"] == pytest.approx(float((result.predictions == labels).mean()))


def test_one_weight_off_is_a_named_difference(tuned: Path, tmp_path: Path) -> None:
    network = export(tuned, "loihi2", tmp_path / "n.safetensors", bits=4).network
    layer = network.layers[1]
    parameters = dict(layer.neuron.parameters)
    bias = parameters["bias"].copy()
    bias[2] += parameters["threshold"]
    louder = replace(layer, neuron=Neuron(layer.neuron.kind, {**parameters, "bias": bias}))
    wrong = replace(network, layers=(network.layers[0], louder, network.layers[2]))
    with pytest.raises(ParityBroken, match=r"layer 'layer1', step \d+, sample \d+, neuron 2"):
        finetune.require_same_spikes(tuned, LOIHI2, wrong)


def test_fine_tuning_keeps_spans_and_says_where_it_came_from(tuned: Path, trained: Checkpoint) -> None:
    made = checkpoint.load(tuned)
    assert made.spans == trained.spans
    assert Scales.model_validate(made.provenance[PROVENANCE_KEY]).bits == 4
    assert made.provenance["finetuned_from_sha256"]
    assert any(not torch.equal(made.tensors[name], trained.tensors[name]) for name in made.tensors)


def test_carried_scales_are_used_for_their_target_and_bits_only(tuned: Path, tmp_path: Path) -> None:
    frozen = freeze(checkpoint.load(tuned))
    carried = scales.kept(frozen)
    assert carried is not None
    same = quantize.quantize(frozen, LOIHI2, bits=4).network
    assert [layer.scale for layer in same.hidden] == [layer.scale for layer in carried.layers]
    assert PROVENANCE_KEY in same.provenance
    other = quantize.quantize(frozen, LOIHI2, bits=8).network
    fresh = scale_choice.choose(frozen, LOIHI2, 8)
    assert [layer.scale for layer in other.hidden] == [layer.scale for layer in fresh.layers]
    assert PROVENANCE_KEY not in other.provenance


@pytest.mark.slow
def test_an_interrupted_fine_tuning_resumes_to_the_same_bits(checkpoint_path: Path, tmp_path: Path) -> None:
    def tune(name: str, **more: Any) -> Checkpoint:
        return finetune.finetune(checkpoint_path, "loihi2", tmp_path / name, epochs=2, bits=6, **more)

    def interrupt(event: Epoch | BatchDone) -> None:
        if isinstance(event, BatchDone) and event.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune("b.pt", observers=(interrupt,))
    with pytest.raises(InvalidSetting, match="another network"):
        finetune.finetune(checkpoint_path, "loihi2", tmp_path / "b.pt", epochs=2, bits=5, resume=True)
    resumed, whole = tune("b.pt", resume=True), tune("a.pt")
    assert all(torch.equal(whole.tensors[name], resumed.tensors[name]) for name in whole.tensors)


def test_batch_normalisation_is_folded_before_fine_tuning() -> None:
    start = float_checkpoint(4, batch_norm=True)
    start.tensors["layers.0.normalization.mean"][:] = 0.3
    start.tensors["layers.1.normalization.gamma"][:] = 1.7
    folded = finetune._folded(start)
    x = torch.from_numpy(samples(0, 16)).float().transpose(0, 1) * start.scale
    assert torch.equal(start.network()(x), folded.network()(x))
    scale_choice.choose(freeze(folded), LOIHI2, 8, to_train=True)


def test_weights_that_outgrow_their_scale_are_refused_by_name() -> None:
    start = float_checkpoint(6)
    chosen = scale_choice.choose(freeze(start), LOIHI2, 8, to_train=True)
    entry = chosen.model_dump(mode="json")
    entry["layers"][1] |= {"recurrent_exponent": 7, "feedforward_exponent": 7}
    grown = replace(start, tensors={n: t * 1e4 for n, t in start.tensors.items()}, provenance={PROVENANCE_KEY: entry})
    with pytest.raises(InvalidSetting, match=r"layer1.*outgrown"):
        quantize.quantize(freeze(grown), LOIHI2, bits=8)


@pytest.mark.parametrize(
    "change",
    [
        {"layers": []},
        {"layers": [{"scale": -1.0, "feedforward_exponent": 0, "recurrent_exponent": 0}] * 2},
        {"layers": [{"scale": 1e300, "feedforward_exponent": 0, "recurrent_exponent": 0}] * 2},
        {"layers": [{"scale": 1e-300, "feedforward_exponent": 0, "recurrent_exponent": 0}] * 2},
        {"layers": [{"scale": 9e4, "feedforward_exponent": 99, "recurrent_exponent": 0}] * 2},
        {"layers": [{"scale": 9e4, "feedforward_exponent": 12, "recurrent_exponent": 12}] * 2},
        {"readout": {"scale": float("nan"), "exponent": 0}},
        {"readout": {"scale": 1e200, "exponent": 0}},
        {"bits": "many"},
        {"surprise": 1},
    ],
)
def test_scales_that_no_export_wrote_are_a_named_error(change: dict[str, Any]) -> None:
    start = float_checkpoint(6)
    entry = scale_choice.choose(freeze(start), LOIHI2, 8, to_train=True).model_dump(mode="json")
    tampered = replace(start, provenance={PROVENANCE_KEY: {**entry, **change}})
    with pytest.raises((InvalidSetting, RulesBroken)):
        quantize.quantize(freeze(tampered), LOIHI2, bits=8)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"data": {"name": None}}, InvalidSetting),
        ({"data": {"permutation_seed": 7, "permute": True}}, InvalidData),
    ],
)
def test_a_checkpoint_whose_samples_are_not_at_hand_is_refused_before_training(
    change: dict[str, Any], error: type[AsrcError], trained: Checkpoint, tmp_path: Path
) -> None:
    data = trained.config.data.model_copy(update=change["data"])
    checkpoint.save(replace(trained, config=trained.config.model_copy(update={"data": data})), tmp_path / "m.pt")
    with pytest.raises(error):
        finetune.finetune(tmp_path / "m.pt", "loihi2", tmp_path / "q.pt", epochs=1)
    assert not (tmp_path / "q.pt").exists()


def test_bits_that_the_target_lacks_are_refused_before_training(checkpoint_path: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="`bits`"):
        finetune.finetune(checkpoint_path, "loihi2", tmp_path / "q.pt", epochs=1, bits=9)
    with pytest.raises(RulesBroken):
        finetune.finetune(checkpoint_path, "loihi1", tmp_path / "q.pt", epochs=1, bits=7)


def test_what_strict_refuses_is_refused_before_training(trained: Checkpoint, tmp_path: Path) -> None:
    network = trained.config.network.model_copy(update={"decay": 1 - 1.4 / 4096})
    slow = replace(trained, config=trained.config.model_copy(update={"network": network}))
    checkpoint.save(slow, tmp_path / "m.pt")
    with pytest.raises(InvalidSetting, match=r"`strict`: layer 'layer0': .* 4,095 steps for 2,925"):
        finetune.finetune(tmp_path / "m.pt", "loihi2", tmp_path / "q.pt", epochs=1, strict=True)
    assert not (tmp_path / "q.pt").exists()


def test_fine_tuning_does_not_replace_the_checkpoint_that_it_starts_from(checkpoint_path: Path) -> None:
    before = checkpoint_path.read_bytes()
    with pytest.raises(UnwritableOutput, match="it is read here, and would be lost"):
        finetune.finetune(checkpoint_path, "loihi2", checkpoint_path, epochs=1)
    assert checkpoint_path.read_bytes() == before


def test_the_command_fine_tunes_exports_and_asserts(
    checkpoint_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small.safetensors"
    assert cli_export.main([str(checkpoint_path), "--bits", "4", "--finetune", "1", "-o", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "asserted on all 360 test samples" in printed
    assert "at the scales that the checkpoint was fine-tuned at" in printed
    assert f"(float {checkpoint.load(checkpoint_path).scores['test']:.1%})" in printed
    assert out.exists()
    assert (tmp_path / "small.qat.pt").exists()
