"""Training a checkpoint on, and the noise that makes weights easy to round."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asrc_core.errors import InvalidData, InvalidSetting, UnreadableFile
from asrc_train import configured, data
from asrc_train.commands import train as cli
from asrc_train.network.model import SkipRecurrentLayer, SkipRecurrentNetwork
from asrc_train.network.rounding_noise import noisy
from asrc_train.settings.config import Config, validated
from asrc_train.trained import checkpoint
from asrc_train.training.continuation import continued
from asrc_train.training.fit import Start, fit


def config(**network: object) -> Config:
    return validated(
        {
            "data": {"name": "digits", "permute": True},
            "network": {"hidden": [6], "kernel_length": 5, **network},
            "training": {"epochs": 1, "learning_rate": 0.01},
        },
        "test",
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("continuation") / "model.pt"
    fit(config(), path)
    return path


def test_training_goes_on_from_the_weights_the_spans_and_the_temperature(model: Path, tmp_path: Path) -> None:
    before = checkpoint.load(model)
    settings, start = continued(model, {"network": {"rounding_noise": 6}, "training": {"epochs": 2, "seed": 3}})
    assert isinstance(start, Start)
    for name, tensor in start.network.state_dict().items():
        torch.testing.assert_close(tensor, before.tensors[name], rtol=0, atol=0)
    assert (settings.training.epochs, settings.training.seed, settings.network.rounding_noise) == (2, 3, 6)
    assert settings.training.learning_rate == before.config.training.learning_rate
    after = fit(settings, tmp_path / "on.pt", start=start)
    assert [epoch["temperature"] for epoch in after.history] == [before.temperature] * 2
    assert after.provenance["continued_from_sha256"] == checkpoint.fingerprint(model)
    assert after.permutation is not None
    assert after.permutation.tolist() == before.permutation.tolist()


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        ({"network": {"hidden": [7]}}, "network.hidden"),
        ({"network": {"kernel_length": 6}}, "network.kernel_length"),
        ({"network": {"connection": "vanilla"}}, "network.connection"),
        ({"data": {"permute": False}}, "data.permute"),
        ({"data": {"name": "mnist5k"}}, "data.name"),
        ({"network": {"rounding_noise": 17}}, "network.rounding_noise"),
        ({"training": {"epochs": 0}}, "training.epochs"),
    ],
)
def test_another_network_other_samples_and_impossible_settings_are_refused(
    model: Path, overrides: dict[str, dict[str, Any]], names: str
) -> None:
    with pytest.raises(InvalidSetting, match=names):
        continued(model, overrides)


def test_what_is_given_again_as_it_was_is_no_change(model: Path) -> None:
    same = {"network": {"hidden": [6], "kernel_length": 5}, "data": {"name": "digits", "permute": True}}
    (settings, start), (unchanged, _) = continued(model, same), continued(model, {})
    assert settings == unchanged
    kept = checkpoint.load(model)
    assert (settings.network, settings.data) == (kept.config.network, kept.config.data)
    assert all(torch.equal(tensor, kept.tensors[name]) for name, tensor in start.network.state_dict().items())


def test_a_checkpoint_of_other_samples_is_refused(model: Path, tmp_path: Path) -> None:
    trained = checkpoint.load(model)
    assert trained.permutation is not None
    checkpoint.save(replace(trained, permutation=trained.permutation[::-1].copy()), tmp_path / "other.pt")
    with pytest.raises(InvalidData, match="the order of their steps"):
        continued(tmp_path / "other.pt", {})


def put_own(path: Path, seed: int = 0) -> None:
    """Samples of which no two are equally long: the first, the longest, is held out if half of them are."""
    x = np.random.default_rng(seed).normal(size=(40, 44, 2))
    np.savez(path, x=x, y=np.arange(40) % 2, lengths=44 - np.arange(40))


def test_columns_in_another_order_are_put_in_that_of_the_network_and_others_refused(tmp_path: Path) -> None:
    rows = np.column_stack([np.repeat(np.arange(40), 3), np.repeat(np.arange(40) % 2, 3), np.random.rand(120, 2)])
    table = tmp_path / "my.csv"
    np.savetxt(table, rows, delimiter=",", header="sample,label,u,v", comments="")
    fit(configured(table, hidden=(4,), epochs=1), tmp_path / "m.pt")
    before = data.load(str(table)).train_x
    np.savetxt(table, rows[:, [0, 1, 3, 2]], delimiter=",", header="sample,label,v,u", comments="")
    _, start = continued(tmp_path / "m.pt", {})
    assert start.dataset is not None
    np.testing.assert_array_equal(start.dataset.train_x, before)
    assert not np.array_equal(data.load(str(table)).train_x, before)
    np.savetxt(table, rows, delimiter=",", header="sample,label,u,w", comments="")
    with pytest.raises(InvalidData, match="its columns are"):
        continued(tmp_path / "m.pt", {})


def test_samples_of_one_s_own_are_split_as_they_were_wherever_they_lie(tmp_path: Path) -> None:
    before, after = tmp_path / "my.npz", tmp_path / "elsewhere" / "same.npz"
    put_own(before)
    settings = configured(before, hidden=(4,), epochs=1, validation_fraction=0.5)
    trained = fit(settings, tmp_path / "m.pt")
    assert trained.steps < data.shape(str(before)).steps
    again, _ = continued(tmp_path / "m.pt", {})
    assert again.data == settings.data
    after.parent.mkdir()
    before.rename(after)
    with pytest.raises(UnreadableFile, match="if it was moved, name its new place"):
        continued(tmp_path / "m.pt", {})
    moved, start = continued(tmp_path / "m.pt", {"data": {"name": str(after)}})
    assert moved.data.name == str(after)
    fit(moved, tmp_path / "on.pt", start=start)
    put_own(after, seed=1)
    with pytest.raises(InvalidData, match=r"same\.npz': its classes, or the zero and scale of its channels, are not"):
        continued(tmp_path / "m.pt", {"data": {"name": str(after)}})
    with pytest.raises(InvalidSetting, match=r"data\.name"):
        continued(tmp_path / "m.pt", {"data": {"name": "digits"}})


def test_the_command_trains_on_and_takes_no_recipe_beside_it(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "on.pt"
    assert cli.main(["--start-from", str(model), "--rounding-noise", "5", "--epochs", "1", "--out", str(out)]) == 0
    assert checkpoint.load(out).config.network.rounding_noise == 5
    assert cli.main(["--start-from", str(model), "--recipe", "digits", "--out", str(out)]) != 0
    assert "--start-from takes the checkpoint's settings" in capsys.readouterr().err


@given(bits=st.integers(1, 16), seed=st.integers(0, 1000))
def test_noise_stays_within_half_a_step_and_lets_gradients_pass(bits: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(5, 7, generator=generator).requires_grad_()
    with torch.no_grad():
        weight[0, 0] = 0
    changed = noisy(weight, bits)
    half = float(weight.detach().abs().max()) / 2**bits
    distance = (changed - weight).detach().abs()
    assert float(distance.max()) <= half * (1 + 1e-5) + 1e-6
    assert float(distance.max()) > half / 4  # of 34 draws
    assert float(changed.detach()[0, 0]) == 0
    towards = torch.randn(5, 7, generator=generator)
    (gradient,) = torch.autograd.grad((changed * towards).sum(), weight)
    torch.testing.assert_close(gradient, towards, rtol=0, atol=0)


def test_noise_is_for_training_only_and_new_each_time() -> None:
    torch.manual_seed(0)
    network = SkipRecurrentNetwork(1, 10, config(rounding_noise=2, sparsity=0.5).network)
    layer = network.layers[0]
    assert isinstance(layer, SkipRecurrentLayer)
    absent = layer.recurrent.weight == 0
    assert bool(absent.any())
    first, second = layer.train().prepared(1, None), layer.prepared(1, None)
    assert first.weight is not None
    assert second.weight is not None
    assert not torch.equal(first.weight, second.weight)
    assert not torch.equal(first.recurrent, second.recurrent)
    assert bool((first.recurrent[absent] == 0).all())
    still = layer.eval().prepared(1, None)
    assert still.weight is layer.feedforward.weight
    assert still.recurrent is layer.recurrent.weight


def test_a_noisy_training_is_reproduced_bit_for_bit(tmp_path: Path) -> None:
    a, b = (fit(config(rounding_noise=4), tmp_path / f"{name}.pt") for name in "ab")
    assert all(torch.equal(a.tensors[name], b.tensors[name]) for name in a.tensors)
