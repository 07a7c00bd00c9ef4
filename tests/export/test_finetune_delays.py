"""Fine-tuning networks with a delay for each synapse: what is trained on is, integer for integer, what is exported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from delay_networks import delay_checkpoint

from asrc_core.contract.neurons.first_spike import LATEST
from asrc_core.errors import InvalidSetting
from asrc_export.chip import targets
from asrc_export.commands import export as cli_export
from asrc_export.engines import numpy as engine
from asrc_export.exporting import export
from asrc_export.quantization import quantize, scale_choice
from asrc_export.quantization.delays import clamped
from asrc_export.quantization.scales import Scales
from asrc_export.quantization.training import finetune
from asrc_export.quantization.training.quantized_delay_network import QuantizedDelayNetwork
from asrc_export.samples.dataset_samples import dataset_for
from asrc_train import data
from asrc_train.kernels.native.library import library
from asrc_train.network.delay_network import DelayNetwork
from asrc_train.network.recurrence import using
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze

LOIHI2 = targets.load("loihi2")
READOUTS = ["exponential", "mean", "maximum", "first-spike"]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    """Of Yin-Yang, in steps of 1 ms."""
    return data.load("yin-yang", 1.0).test_x[:30]


_CHOSEN: dict[tuple[str, int, bytes], Scales] = {}


def scales_to_train(start: Checkpoint, bits: int) -> Scales:
    """Chosen once for the same weights, however many tests begin with them."""
    weights = b"".join(start.tensors[name].numpy().tobytes() for name in sorted(start.tensors))
    key = (start.config.model_dump_json(), bits, weights)
    if key not in _CHOSEN:
        _CHOSEN[key] = scale_choice.choose(freeze(start), LOIHI2, bits, to_train=True)
    return _CHOSEN[key]


def quantized(start: Checkpoint, bits: int = 8, grown: float = 1.0) -> tuple[Checkpoint, QuantizedDelayNetwork]:
    """At scales chosen for the checkpoint, its weights having moved on since."""
    chosen = scales_to_train(start, bits)
    network = QuantizedDelayNetwork(replace(start, provenance=chosen.carried()), chosen, LOIHI2)
    with torch.no_grad():
        for each in network.weights():
            each *= grown
    moved = {name: each.clone() for name, each in network.state_dict().items()}
    return replace(start, tensors=moved, provenance=chosen.carried()), network


def fed(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(x).float().transpose(0, 1)


@pytest.mark.parametrize("grown", [1.0, 0.9])
@pytest.mark.parametrize("bits", [3, 8])
@pytest.mark.parametrize("readout", READOUTS)
def test_a_quantized_network_answers_as_its_export_does(
    readout: str, bits: int, grown: float, samples: np.ndarray
) -> None:
    trained, network = quantized(delay_checkpoint(readout=readout), bits, grown)
    expected = engine.run(quantize.quantize(freeze(trained), LOIHI2, bits=bits).network, samples, trace=True)
    assert expected.trace is not None
    with torch.no_grad():
        logits, spikes = network.traced(fed(samples) * trained.scale)
        once_more, in_torch = network.accumulated(fed(samples))
    assert np.array_equal(logits.numpy(), expected.logits)
    assert np.array_equal(once_more.numpy(), expected.logits)
    for mine, other, layer in zip(spikes, in_torch, expected.trace.layers, strict=True):
        assert layer.spikes.any()
        assert np.array_equal(mine.numpy(), layer.spikes)
        assert np.array_equal(other.numpy(), layer.spikes)


@pytest.mark.parametrize("readout", ["exponential", "first-spike"])
def test_what_it_learns_by_at_eight_bits_is_nearly_what_the_float_network_does(
    readout: str, samples: np.ndarray
) -> None:
    start = delay_checkpoint(readout=readout, recurrent=False, readout_weights=[4.0, 1.0])
    _, network = quantized(start)
    floats = start.network()
    assert isinstance(floats, DelayNetwork)
    gradients = []
    for each in (network.train(), floats.train()):
        loss = (each(fed(samples)) * torch.linspace(-1, 1, 3)).sum()
        found = torch.autograd.grad(loss, [*each.weights(), *each.delays()])
        gradients.append([gradient.flatten() for gradient in found])
    for mine, theirs in zip(*gradients, strict=True):
        assert torch.nn.functional.cosine_similarity(mine, theirs, dim=0) > 0.9


@pytest.mark.parametrize("kernel", ["native", "plain"])
@pytest.mark.parametrize("readout", READOUTS)
def test_a_training_pass_fires_the_spikes_of_the_integers(readout: str, kernel: str, samples: np.ndarray) -> None:
    """Roundings of the states included: it learns by what the chip does."""
    if kernel == "native" and library() is None:
        pytest.skip("the kernels were not built here")
    start, network = quantized(delay_checkpoint(readout=readout))
    expected = engine.run(quantize.quantize(freeze(start), LOIHI2).network, samples, trace=True)
    assert expected.trace is not None
    with using(kernel):
        done = network.train().run(fed(samples) * start.scale)
    assert done.answers.requires_grad
    (fired,) = done.spikes()[:1]
    hidden = np.zeros_like(expected.trace.layers[0].spikes)
    hidden[fired[:, 1], fired[:, 0], fired[:, 2]] = 1
    assert hidden.any()
    assert np.array_equal(hidden, expected.trace.layers[0].spikes)
    if readout == "first-spike":
        never = expected.logits == 0
        assert not never.all()
        assert np.array_equal(np.where(never, start.steps, LATEST - expected.logits), done.answers.detach().numpy())


def test_weights_beyond_the_grid_do_not_learn(samples: np.ndarray) -> None:
    _, network = quantized(delay_checkpoint(readout="exponential", recurrent=False))
    with torch.no_grad():
        network.weights()[0][0, 0] = 1.2 * network.weights()[0].max()
    (network(fed(samples)) * torch.linspace(-1, 1, 3)).sum().backward()
    gradient = network.weights()[0].grad
    assert gradient is not None
    assert gradient[0, 0] == 0
    assert (gradient != 0).any()


@pytest.mark.parametrize(
    ("readout", "grown"), [*((readout, 4.0) for readout in READOUTS), ("first-spike", -1.0), ("mean", -1.0)]
)
def test_weights_that_outgrow_their_scale_in_training_are_put_back(
    readout: str, grown: float, samples: np.ndarray
) -> None:
    """Those of neurons that begin without inhibition, too: a membrane that sinks has no reset to end it."""
    start = delay_checkpoint(readout=readout)
    _, network = quantized(start, grown=grown)
    before = [each.detach().clone() for each in network.weights()]
    network(fed(samples))
    made = replace(start, tensors=network.state_dict(), provenance=dict(quantized(start)[0].provenance))
    quantize.quantize(freeze(made), LOIHI2, bits=8)  # no state can saturate, or it would be refused
    shares = torch.cat([(now / was).flatten() for now, was in zip(network.weights(), before, strict=True)])
    assert shares.min() < 1, "something had outgrown it"
    assert shares.min() > 0
    assert shares.max() == 1, "weights of the other sign, and of neurons that have room, stay as they are"


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recurrent network, fine-tuned for one epoch with delays of up to 7 steps."""
    home = tmp_path_factory.mktemp("tuned")
    checkpoint.save(delay_checkpoint(readout="first-spike", recurrent=True), home / "model.pt")
    finetune.finetune(home / "model.pt", "loihi2", home / "model.qat.pt", epochs=1, max_delay=7)
    return home / "model.qat.pt"


@pytest.mark.slow
def test_the_export_of_a_fine_tuned_checkpoint_fires_its_spikes_on_the_whole_test_split(
    tuned: Path, tmp_path: Path
) -> None:
    exported = export(tuned, "loihi2", tmp_path / "n.safetensors")
    result = finetune.require_same_spikes(tuned, LOIHI2, exported.network)
    assert sum(result.spikes_per_layer) > 1000, "the network should be alive"
    labels = dataset_for(exported.network).test_y
    assert checkpoint.load(tuned).scores["test"] == float((result.predictions == labels).mean())


def test_delays_stay_within_the_limit_that_was_asked_for(tuned: Path) -> None:
    made = checkpoint.load(tuned)
    assert made.config.network.max_delay == 7
    longest = {name: float(each.max()) for name, each in made.tensors.items() if name.endswith(".delay")}
    assert longest["layers.0.feedforward.delay"] == 7
    assert longest["layers.0.recurrent.delay"] == 8
    assert all(value <= 8 for value in longest.values())


@pytest.mark.parametrize("network", [{}, {"max_delay": 5, "delay_start": 5, "recurrent_delay_start": 3}])
def test_a_limit_that_nothing_exceeds_changes_nothing(network: dict[str, Any]) -> None:
    start = delay_checkpoint(**network)
    assert clamped(start, 20) is start


def test_a_limit_below_zero_is_refused() -> None:
    with pytest.raises(InvalidSetting, match=r"`max_delay`.*-1 is below 0"):
        clamped(delay_checkpoint(), -1)


def test_lavas_own_lif_is_not_fine_tuned_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli_export.main([str(tmp_path / "model.pt"), "--stock-lif", "--finetune", "1"])
    assert stopped.value.code == 2
    assert "--stock-lif: goes without --finetune" in capsys.readouterr().err
