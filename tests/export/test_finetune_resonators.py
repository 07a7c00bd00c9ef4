"""State-space layers fine-tuned on their integers: forward these, backward the float layers, poles included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from asrc_core.errors import InvalidSetting
from asrc_export.chip import targets
from asrc_export.commands import export as cli_export
from asrc_export.engines import numpy as engine
from asrc_export.exporting import export
from asrc_export.quantization import quantize, scale_choice
from asrc_export.quantization.training.quantized_network import QuantizedNetwork
from asrc_train.commands import train
from asrc_train.network.model import SkipRecurrentNetwork
from asrc_train.settings.config import validated
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze

LOIHI2 = targets.load("loihi2")
STEPS, MAXIMUM = 30, 16
SORTS: dict[str, dict[str, Any]] = {
    "prf": {"neuron": "prf", "connection": "none"},
    "both": {"neuron": "pssm", "connection": "none", "modes": 2, "period": 2},
    "mixed": {"connection": "src", "span": 3, "layers": [{}, {"neuron": "prf"}, {}]},
    "skips": {"neuron": "ssm", "connection": "none", "modes": 2, "skips": "concat"},
    "mixed skips": {"connection": "src", "span": 3, "layers": [{"neuron": "prf"}, {}, {}], "skips": "concat"},
    "stepped skips": {"connection": "src", "span": 3, "neuron": "clif", "skips": "concat"},
}
pytestmark = pytest.mark.usefixtures("one_thread")


def started(sort: str, **settings: Any) -> Checkpoint:
    settings = {"hidden": (9, 7, 8), **SORTS[sort], **settings}
    config = validated({"data": {"name": "digits"}, "network": settings}, "test")
    torch.manual_seed(0)
    made = SkipRecurrentNetwork(2, 4, config.network, STEPS)
    tensors = {name: tensor.detach() for name, tensor in made.state_dict().items()}
    for name, tensor in tensors.items():
        if name.endswith("feedforward.weight"):
            torch.nn.init.normal_(tensor, 0.5, 2.0)
    return Checkpoint(config, 2, 4, STEPS, 1 / MAXIMUM, MAXIMUM, tuple(made.spans), 1.0, tensors, None, [], {}, {})


def samples(seed: int = 1) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, MAXIMUM + 1, (6, STEPS, 2))


def fed() -> torch.Tensor:
    return torch.from_numpy(samples()).float().transpose(0, 1)


@pytest.mark.parametrize("bits", [3, 8])
@pytest.mark.parametrize("sort", SORTS)
def test_a_network_that_moved_and_its_export_fire_the_same_spikes(sort: str, bits: int) -> None:
    start = started(sort)
    chosen = scale_choice.choose(freeze(start), LOIHI2, bits, to_train=True)
    moved = {name: tensor * 1.02 if tensor.dim() == 2 else tensor for name, tensor in start.tensors.items()}
    trained = replace(start, tensors=moved, provenance=chosen.carried())
    network = quantize.quantize(freeze(trained), LOIHI2, bits=bits).network
    expected = engine.run(network, samples(), trace=True)
    assert expected.trace is not None
    for grad in (False, True):
        with torch.set_grad_enabled(grad):
            y, spikes = QuantizedNetwork(trained, chosen, LOIHI2).accumulated(fed())
        assert any(0 < layer.spikes.mean() < 1 for layer in expected.trace.layers)
        for mine, layer in zip(spikes, expected.trace.layers, strict=True):
            assert np.array_equal(mine.detach().numpy(), layer.spikes)
        assert np.array_equal(y.detach().numpy(), expected.logits)


def gradients_of(network: SkipRecurrentNetwork) -> dict[str, torch.Tensor]:
    named = dict(network.named_parameters())
    loss = torch.nn.functional.cross_entropy(network(fed() / MAXIMUM), torch.arange(6) % 4)
    return dict(zip(named, torch.autograd.grad(loss, list(named.values())), strict=True))


@pytest.mark.parametrize("sort", ["prf", "both", "skips"])
def test_poles_read_outs_and_windows_learn_as_in_the_float_network(sort: str) -> None:
    start = started(sort)
    chosen = scale_choice.choose(freeze(start), LOIHI2, 8, to_train=True)
    mine = gradients_of(QuantizedNetwork(start, chosen, LOIHI2))
    network = start.network()
    assert isinstance(network, SkipRecurrentNetwork)
    theirs = gradients_of(network)
    for name, expected in theirs.items():
        assert bool(mine[name].abs().sum() > 0)
        if name.startswith("layers.0."):
            alike = torch.nn.functional.cosine_similarity(mine[name].flatten().double(), expected.flatten().double(), 0)
            assert alike > 0.9  # but for a few spikes that differ


def test_a_layer_beside_them_that_only_steps_is_refused_by_name() -> None:
    start = started("mixed", neuron="clif")
    chosen = scale_choice.choose(freeze(start), LOIHI2, 8, to_train=True)
    with pytest.raises(InvalidSetting, match=r"layer 'layer0'.*beside state-space layers"):
        QuantizedNetwork(start, chosen, LOIHI2)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained for an epoch, and fine-tuned for another with poles of 13 bits, by the commands."""
    folder = tmp_path_factory.mktemp("tuned")
    size = ["--hidden", "8", "8", "--modes", "2", "--batch-norm", "--epochs", "1"]
    train.main(["--data", "digits", "--neuron", "pssm", *size, "--out", f"{folder / 'm.pt'}"])
    command = [f"{folder / 'm.pt'}", "--finetune", "1", "--bits", "4", "--pole-bits", "13"]
    assert cli_export.main([*command, "-o", f"{folder / 'm.safetensors'}"]) == 0
    return folder


@pytest.mark.slow
def test_the_commands_train_fine_tune_and_assert_the_same_spikes(tuned: Path) -> None:
    before, after = (checkpoint.load(tuned / name).tensors for name in ("m.pt", "m.qat.pt"))
    for name in ("log_dt", "log_decay", "turn", "read", "direct", "window"):
        assert not torch.equal(before[f"layers.0.neuron.{name}"], after[f"layers.0.neuron.{name}"])


def test_the_bits_of_poles_are_those_of_the_fine_tuning(tuned: Path, tmp_path: Path) -> None:
    for asked in (None, 13):
        made = export(tuned / "m.qat.pt", "loihi2", tmp_path / "n.safetensors", bits=4, pole_bits=asked)
        assert made.network.layers[0].neuron.parameters["pole_shift"] == 12
    with pytest.raises(InvalidSetting, match="fine-tuned with 13 bits, not 16; leave it away"):
        export(tuned / "m.qat.pt", "loihi2", tmp_path / "n.safetensors", bits=4, pole_bits=16)
