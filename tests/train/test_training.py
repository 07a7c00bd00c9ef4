"""Training: the same bits from the same seed, through interruptions too, and the test split read once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from asrc_core.errors import InvalidSetting, TrainingDiverged, UnknownName, UnreadableFile, UnwritableOutput
from asrc_train import configured, data
from asrc_train.network.model import SkipRecurrentNetwork
from asrc_train.network.normalization import BatchNormalization
from asrc_train.settings.config import Config, validated
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.training.evaluate import evaluate
from asrc_train.training.fit import BatchDone, Epoch, fit, make_optimizer, resume_path
from asrc_train.training.schedule import learning_rate_and_momentum, temperature_in


def config(**training: object) -> Config:
    settings = {"epochs": 3, "batch_size": 128, "learning_rate": 0.01, "seed": 1, **training}
    network = {"hidden": [8, 8], "kernel_length": 5}
    return validated({"data": {"name": "digits"}, "network": network, "training": settings}, "test")


def same(a: Checkpoint, b: Checkpoint) -> bool:
    tensors = all(torch.equal(a.tensors[name], b.tensors[name]) for name in a.tensors)
    return tensors and a.history == b.history and a.scores == b.scores and a.spans == b.spans


def test_the_same_seed_gives_the_same_bits_and_another_does_not(tmp_path: Path) -> None:
    first = fit(config(), tmp_path / "a.pt")
    assert same(first, fit(config(), tmp_path / "b.pt"))
    assert not same(first, fit(config(seed=2), tmp_path / "c.pt"))


@pytest.mark.parametrize("stop_in", [2, 3])
def test_an_interrupted_training_resumes_to_the_same_bits(tmp_path: Path, stop_in: int) -> None:
    whole = fit(config(), tmp_path / "whole.pt")

    def interrupt(event: Epoch | BatchDone) -> None:
        if isinstance(event, BatchDone) and (event.epoch, event.batch) == (stop_in, 4):
            raise KeyboardInterrupt

    out = tmp_path / "resumed.pt"
    with pytest.raises(KeyboardInterrupt):
        fit(config(), out, observers=(interrupt,))
    assert not out.exists()
    assert same(whole, fit(config(), out, resume=True))
    assert not resume_path(out).exists()


def test_the_chosen_epoch_is_the_latest_best_on_validation(trained: Checkpoint) -> None:
    validation = [epoch["validation_accuracy"] for epoch in trained.history]
    best = max(i for i, accuracy in enumerate(validation) if accuracy == max(validation))
    assert trained.provenance["best_epoch"] == best + 1
    assert trained.scores["validation"] == max(validation)
    assert trained.temperature == trained.history[best]["temperature"]


def test_the_scores_are_those_of_the_saved_network(trained: Checkpoint) -> None:
    dataset = data.load("digits")
    assert trained.permutation is not None
    x = dataset.test_x[:, trained.permutation]
    network = trained.network()
    assert evaluate(network, x, dataset.scale).accuracy(dataset.test_y) == trained.scores["test"]
    mixture = evaluate(network, x, dataset.scale, temperature=trained.temperature)
    assert mixture.accuracy(dataset.test_y) == trained.scores["test_mixture"]


def test_training_learns_something(tmp_path: Path) -> None:
    history = fit(config(epochs=5, batch_size=32), tmp_path / "m.pt").history
    assert history[-1]["loss"] < history[0]["loss"]


@pytest.mark.parametrize("connection", ["vanilla", "src", "asrc"])
@pytest.mark.parametrize("reset", ["soft", "hard"])
def test_every_connection_and_reset_trains(tmp_path: Path, connection: str, reset: str) -> None:
    network = {"connection": connection, "reset": reset, "hidden": [6], "kernel_length": 4, "span": 3}
    training = {"epochs": 1, "batch_size": 512}
    trained = fit(
        validated({"data": {"name": "digits"}, "network": network, "training": training}, "t"), tmp_path / "m"
    )
    expected = {"vanilla": (1,), "src": (3,)}.get(connection)
    assert trained.spans == expected if expected else 1 <= trained.spans[0] <= 4


def test_the_temperature_anneals_and_sharpens_the_mixture(tmp_path: Path) -> None:
    assert temperature_in(config(), 0) == 1.0
    assert temperature_in(config(), 2) == pytest.approx(0.96**2)
    network = SkipRecurrentNetwork(1, 10, config().network)
    (logits, _) = network.skip_logits()
    assert torch.equal(logits, torch.zeros(5))
    with torch.no_grad():
        logits[2] = 1.0
    warm, cold = (network.layers[0].connection.taps(tau) for tau in (1.0, 0.1))  # type: ignore[union-attr]
    assert isinstance(warm, torch.Tensor)
    assert isinstance(cold, torch.Tensor)
    assert cold.max() > warm.max()
    assert network.spans[0] == 3


def test_skip_logits_have_a_group_of_their_own() -> None:
    settings = config(learning_rate=0.002, weight_decay=0.05)
    network = SkipRecurrentNetwork(1, 10, settings.network)
    weights, skip = make_optimizer(network, settings).param_groups
    assert [id(p) for p in skip["params"]] == [id(p) for p in network.skip_logits()]
    assert (weights["weight_decay"], skip["weight_decay"]) == (0.05, 0.0)
    assert skip["factor"] == 100 * weights["factor"]
    assert sum(p.numel() for g in (weights, skip) for p in g["params"]) == sum(p.numel() for p in network.parameters())


def test_the_recurrent_weights_start_orthogonal() -> None:
    torch.manual_seed(0)
    weight = SkipRecurrentNetwork(1, 10, config().network).layers[1].recurrent.weight  # type: ignore[union-attr]
    torch.testing.assert_close(weight @ weight.T, torch.eye(8))


def test_the_cosine_falls_from_the_rate_to_a_hundredth() -> None:
    cosine = config(schedule="cosine", learning_rate=0.01, epochs=10)
    rates = [learning_rate_and_momentum(cosine, epoch)[0] for epoch in range(11)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == pytest.approx(0.01)
    assert rates[-1] == pytest.approx(0.0001)


def test_one_cycle_is_pytorchs_taken_in_small_steps() -> None:
    steps, settings = 10_000, config(schedule="one-cycle", learning_rate=0.01, epochs=10)
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=0.01)
    reference = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=steps)
    for step in range(steps - 1):
        group = optimizer.param_groups[0]
        ours = learning_rate_and_momentum(settings, 10 * step / steps)
        assert ours == pytest.approx((group["lr"], group["betas"][0]), abs=1e-4)
        optimizer.step()
        reference.step()


def normalizing(**training: object) -> Config:
    return validated(
        {
            "data": {"name": "digits"},
            "network": {"hidden": [12, 8], "kernel_length": 5, "batch_norm": True, "dropout": 0.1},
            "training": {"epochs": 2, "learning_rate": 0.01, **training},
        },
        "test",
    )


def test_batch_normalisation_is_pytorchs_and_folds_into_the_weights(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    ours, theirs = BatchNormalization(3), torch.nn.BatchNorm1d(3)
    x = 2 + 3 * torch.randn(5, 4, 3, generator=generator)
    torch.testing.assert_close(ours(x), theirs(x.flatten(0, 1)).view_as(x))
    torch.testing.assert_close((ours.mean, ours.variance), (theirs.running_mean, theirs.running_var))
    kept = ours.mean.clone()
    alone = ours(x[:1, :1])  # PyTorch refuses a single value
    torch.testing.assert_close(alone, ours.eval()(x[:1, :1]))
    assert torch.equal(ours.mean, kept)

    trained = fit(normalizing(), tmp_path / "m.pt")
    frozen = freeze(checkpoint.load(tmp_path / "m.pt"))
    layer = trained.network().layers[0]
    batch = torch.rand(7, 6, 1, generator=generator)
    current = layer.normalization(layer.feedforward(batch))  # type: ignore[operator]
    weight, bias = torch.from_numpy(frozen.layers[0].weight), torch.from_numpy(frozen.layers[0].bias)
    torch.testing.assert_close(current.double(), batch.double() @ weight.T + bias, rtol=1e-5, atol=1e-6)


def test_the_stack_with_folded_normalisation_is_the_layers_one_by_one(tmp_path: Path) -> None:
    network = fit(normalizing(), tmp_path / "m.pt").network()
    x = torch.rand(20, 5, 1, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(x), network.traced(x)[0])


def test_gains_and_shifts_of_batch_normalisation_do_not_decay() -> None:
    network = SkipRecurrentNetwork(1, 10, normalizing().network)
    weights, normalization, _ = make_optimizer(network, normalizing()).param_groups
    assert len(normalization["params"]) == 4
    assert (normalization["weight_decay"], normalization["factor"]) == (0.0, weights["factor"])


def test_a_diverging_training_stops_by_name_and_keeps_the_last_good_state(tmp_path: Path) -> None:
    out = tmp_path / "m.pt"
    with pytest.raises(TrainingDiverged, match=r"diverged in epoch \d+.*lower `learning_rate`"):
        fit(config(learning_rate=1e30, epochs=4), out)
    assert not out.exists()


def test_resuming_what_was_never_started_or_started_otherwise_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "m.pt"
    with pytest.raises(InvalidSetting, match="no unfinished training"):
        fit(config(), out, resume=True)

    def interrupt(event: Epoch | BatchDone) -> None:
        if isinstance(event, BatchDone) and event.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(config(), out, observers=(interrupt,))
    with pytest.raises(InvalidSetting, match=r"training\.seed 1 instead of 9"):
        fit(config(seed=9), out, resume=True)
    resume_path(out).write_bytes(resume_path(out).read_bytes()[:500])
    with pytest.raises(UnreadableFile, match="training state"):
        fit(config(), out, resume=True)


def test_resuming_on_samples_that_have_changed_is_refused(tmp_path: Path) -> None:
    draw, own = np.random.default_rng(0), tmp_path / "my.npz"
    x, y = draw.integers(0, 9, (40, 6, 1)), np.arange(40) % 2
    np.savez(own, x=x, y=y)
    settings = configured(own, hidden=(3,), epochs=2)

    def interrupt(event: Epoch | BatchDone) -> None:
        if isinstance(event, BatchDone) and event.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(settings, tmp_path / "m.pt", observers=(interrupt,))
    np.savez(own, x=x, y=1 - y)
    with pytest.raises(InvalidSetting, match=r"m\.pt\.training' was started on other samples of .*my\.npz'"):
        fit(settings, tmp_path / "m.pt", resume=True)
    np.savez(own, x=x, y=y)
    state = resume_path(tmp_path / "m.pt")
    content = torch.load(state, weights_only=True)
    torch.save({key: each for key, each in content.items() if key != "samples"}, resume_path(tmp_path / "old.pt"))
    assert same(*(fit(settings, tmp_path / name, resume=True) for name in ("m.pt", "old.pt")))


def test_an_unwritable_output_is_found_before_training(tmp_path: Path) -> None:
    with pytest.raises(UnwritableOutput):
        fit(config(epochs=1_000_000, annealing=1.0), tmp_path / "absent" / "m.pt")


def test_unknown_data_lists_the_known() -> None:
    with pytest.raises(
        UnknownName, match=r"unknown data set 'mnist'; known: digits, fsdd, fsdd-speakers, fsdd-spikes, gsc, "
    ):
        data.load("mnist")


def test_tensorboard_logs_are_written_on_request(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from asrc_train.training import tensorboard

    fit(config(epochs=2), tmp_path / "m.pt", observers=(tensorboard.writer(tmp_path / "logs"),))
    events = EventAccumulator(str(tmp_path / "logs")).Reload()
    assert len(events.Scalars("loss")) == 2
    assert len(events.Scalars("span/layer1")) == 2


@pytest.mark.parametrize(("name", "held_out", "steps"), [("digits", 360, 64), ("mnist5k", 1000, 784)])
def test_bundled_data_is_whole_stratified_and_always_split_alike(name: str, held_out: int, steps: int) -> None:
    first, again = data.load(name), data.load(name)
    np.testing.assert_array_equal(first.test_x, again.test_x)
    assert first.test_x.shape == (held_out, steps, 1)
    assert len(first.train_y) == {"digits": 1797, "mnist5k": 5000}[name] - held_out
    assert first.train_x.dtype == np.uint8
    assert first.train_x.max() == first.maximum == round(1 / first.scale)
    share = np.bincount(first.test_y, minlength=10) / held_out
    np.testing.assert_allclose(share, np.bincount(first.train_y, minlength=10) / len(first.train_y), atol=0.005)
    seen = {sample.tobytes() for sample in first.train_x}
    duplicates = sum(sample.tobytes() in seen for sample in first.test_x)
    assert duplicates <= 1  # the bundles themselves may hold a digit twice; the splits share none otherwise


@pytest.mark.slow
def test_two_processes_train_as_one_does_on_the_joint_batch(tmp_path: Path) -> None:
    """Real processes, real torchrun and gloo; losses equal to rounding."""
    train = Path(sys.executable).parent / "asrc-train"
    # Dropout draws its own masks in each process.
    command = [train, "--data", "digits", "--hidden", "8", "--epochs", "1", "--dropout", "0"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
    subprocess.run([*command, "--out", tmp_path / "one.pt"], check=True, capture_output=True)
    joint = subprocess.run([*torchrun, *command, "--out", tmp_path / "two.pt"], capture_output=True, text=True)
    assert joint.returncode == 0, joint.stderr
    one, two = (checkpoint.load(tmp_path / name) for name in ("one.pt", "two.pt"))
    assert two.history[0]["loss"] == pytest.approx(one.history[0]["loss"], rel=1e-4)
    for name, tensor in one.tensors.items():
        torch.testing.assert_close(two.tensors[name], tensor, rtol=0.01, atol=0.001)
