"""Baselines: as many parameters as the network beside them, trained to the same bits whether stopped or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from asrc_core.errors import InvalidSetting, UnreadableFile
from asrc_train import configured, data
from asrc_train.baselines import fit
from asrc_train.baselines.recurrent import KINDS, Kind, of_size, parameters
from asrc_train.data.dataset import in_order
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.training.fit import fit as train


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most", [300, 20_000, 63_000])
def test_a_baseline_is_the_widest_that_has_no_more_parameters(kind: Kind, most: int) -> None:
    made = of_size(kind, 3, 2, 7, most)
    width = made.layers.hidden_size
    assert parameters(made) <= most
    wider = (torch.nn.GRU if kind == "gru" else torch.nn.RNN)(3, width + 1, 2)
    assert parameters(wider) + (width + 1) * 7 + 7 > most


def test_fewer_parameters_than_one_neuron_takes_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="as few as 10 parameters"):
        of_size("gru", 3, 2, 7, 10)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Products this small are only slowed down by a second one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def fitted(trained: Checkpoint, folder: Path, told: list[str], epochs: int = 3) -> fit.Fitted:
    digits = in_order(data.load("digits"), trained.permutation)
    dataset = replace(digits, train_x=digits.train_x[:200], train_y=digits.train_y[:200])
    return fit.fit("rnn", trained, dataset, folder, epochs=epochs, say=told.append)


def test_parameters_are_what_is_learned_and_there(tmp_path: Path) -> None:
    sizes = [10, 6]  # of steps of one value
    dense = sizes[0] * 1 + sizes[0] ** 2 + sizes[1] * sizes[0] + sizes[1] ** 2 + 10 * sizes[1]
    biases = sum(sizes) + 10
    of = {"hidden": sizes, "epochs": 1}
    assert fit.learned(train(configured("digits", **of), tmp_path / "a.pt")) == dense + biases
    normal = train(configured("digits", **of, batch_norm=True), tmp_path / "b.pt")
    assert fit.learned(normal) == dense + biases + 2 * sum(sizes)
    half = train(configured("digits", **of, sparsity=0.5), tmp_path / "c.pt")
    assert fit.learned(half) == (dense - 10 * sizes[1]) // 2 + 10 * sizes[1] + biases


def test_classes_weigh_in_the_loss_as_in_the_spiking_network_s(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 9, (60, 5, 1))
    np.savez(tmp_path / "my.npz", x=x, y=np.arange(60) % 6 == 0)
    losses = []
    for weights in ("none", "balanced"):
        config = configured(tmp_path / "my.npz", hidden=(6,), epochs=1, class_weights=weights)
        trained = train(config, tmp_path / "m.pt")
        fit.fit("rnn", trained, data.load(str(tmp_path / "my.npz")), tmp_path)
        (kept,) = tmp_path.glob("baseline-rnn-*.pt")
        losses.append(json.loads(torch.load(kept, weights_only=True)["history"])[0]["loss"])
        kept.unlink()
    assert losses[0] != losses[1]


def test_a_training_that_was_stopped_ends_in_the_same_bits_and_a_finished_one_is_read(
    trained: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    (tmp_path / "whole").mkdir()
    whole = fitted(trained, tmp_path / "whole", told)
    assert len(told) == 1
    assert "3 epochs" in told[0]
    assert whole.parameters <= fit.learned(trained)
    (kept,) = (tmp_path / "whole").glob("baseline-rnn-*.pt")
    history = json.loads(torch.load(kept, weights_only=True)["history"])
    assert history[-1]["loss"] < history[0]["loss"]

    class Stopped(Exception):
        pass

    store = fit._Run.store

    def once(run: fit._Run) -> None:
        store(run)
        raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr(fit._Run, "store", once)
        with pytest.raises(Stopped):
            fitted(trained, tmp_path, [])
    resumed = fitted(trained, tmp_path, [])
    x = data.load("digits").test_x[:50]
    assert np.array_equal(resumed.predictions(x), whole.predictions(x))
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name])
    told.clear()
    again = fitted(trained, tmp_path, told)
    assert not told
    assert again.seconds == resumed.seconds


def test_a_broken_state_is_refused_with_a_way_out(trained: Checkpoint, tmp_path: Path) -> None:
    fitted(trained, tmp_path, [], epochs=1)
    (kept,) = tmp_path.glob("baseline-rnn-*.pt")
    content = torch.load(kept, weights_only=True)
    torch.save({**content, "history": "[]"}, kept)
    with pytest.raises(UnreadableFile, match="remove it, and the baseline is trained anew"):
        fitted(trained, tmp_path, [], epochs=1)
