"""Data sets of events in time: spikes at the steps that their times say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from delay_networks import delay_checkpoint
from hypothesis import given
from hypothesis import strategies as st
from recordings import put_wav, word

from asrc_core.errors import InvalidSetting, UnreadableFile
from asrc_train import data
from asrc_train.analysis.delays import delays
from asrc_train.data import fsdd_spikes, yin_yang
from asrc_train.data.sources import cochlea
from asrc_train.data.sources.spike_times import MOST_STEPS, at_steps, steps_of
from asrc_train.data.sources.spoken_digits import HOME, SPEAKERS
from asrc_train.settings import recipe
from asrc_train.settings.config import from_recipe
from asrc_train.settings.recipe import configured
from asrc_train.training.augmentation import blended, shifted, shifted_images
from asrc_train.training.fit import fit


@pytest.mark.parametrize("dt", [None, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("name", ["sequence", "yin-yang"])
def test_a_data_set_in_time_is_of_the_shape_it_states(name: str, dt: float | None) -> None:
    loaded = data.load(name, dt)
    assert loaded.shape == data.shape(name, dt)
    assert loaded.train_x.max() == loaded.maximum
    assert loaded.shape.dt == (data.shape(name).dt if dt is None else dt)


@pytest.mark.parametrize("dt", [1.0, 2.5, 0.1])
def test_the_two_sequences_are_the_same_spikes_the_other_way_round(dt: float) -> None:
    first, second = data.load("sequence", dt).train_x
    np.testing.assert_array_equal(np.argwhere(first), [[0, 0], [round(10 / dt), 1]])
    np.testing.assert_array_equal(second, first[:, ::-1])


def test_every_input_of_yin_yang_spikes_once_and_opposite_ones_at_opposite_times() -> None:
    loaded = data.load("yin-yang", 0.1)
    assert (loaded.train_x.sum(1) == 1).all()
    when = loaded.train_x.argmax(1) * 0.1
    assert when.min() >= 1.5 - 0.05
    assert when.max() <= 20 + 0.05
    np.testing.assert_allclose(when[:, :2] + when[:, 2:], 21.5, atol=0.1 + 1e-9)


def test_yin_yang_has_its_published_splits_with_every_class_alike() -> None:
    loaded = data.load("yin-yang")
    sizes = {split: len(y) for split, (_, y) in loaded.parts().items()}
    assert sizes == {"train": 5000, "validation": 1000, "test": 1000}
    assert np.bincount(loaded.train_y).min() > 1580
    assert not np.array_equal(loaded.test_x, loaded.validation_x)
    np.testing.assert_array_equal(data.load("yin-yang").train_x, loaded.train_x)


@pytest.mark.parametrize(
    ("point", "region"),
    [
        ((0.25, 0.5), 2),  # the dots' middles
        ((0.75, 0.5), 2),
        ((0.25, 0.65), 1),  # around the left dot
        ((0.75, 0.65), 0),  # around the right one
        ((0.5, 0.9), 1),  # above
        ((0.5, 0.1), 0),  # below
        ((0.2, 0.55), 2),  # within the left dot
        ((0.4, 0.4), 1),  # the half disc around the left dot reaches below the middle
    ],
)
def test_regions_of_yin_yang(point: tuple[float, float], region: int) -> None:
    assert yin_yang.regions(np.array([point]))[0] == region


def test_points_lie_in_the_disc_and_in_the_class_that_was_drawn() -> None:
    points, y = yin_yang.drawn(500, seed=3)
    assert (np.hypot(*(points - 0.5).T) <= 0.5).all()
    np.testing.assert_array_equal(yin_yang.regions(points), y)


def test_a_spike_falls_into_the_nearest_step() -> None:
    x = at_steps(np.array([[0.0, 1.24], [1.26, 2.5]]), 0.5, 6)
    np.testing.assert_array_equal(x.argmax(1), [[0, 2], [3, 5]])
    for outside in (2.8, -0.3, float("nan")):
        with pytest.raises(ValueError, match="not all times are within 6 steps"):
            at_steps(np.array([[outside]]), 0.5, 6)


def test_steps_cover_the_sample() -> None:
    assert steps_of(25.0, 1.0) == 25
    assert steps_of(40.0, 0.1) == 400  # and not 401, for the division's last bit
    assert steps_of(25.0, 10.0) == 3
    assert steps_of(40.0, 39.9) == 2


@pytest.mark.parametrize("dt", [0.0, -1.0, float("nan"), float("inf"), 40 / (MOST_STEPS + 1), 40.0, 1e-300])
def test_a_step_of_no_use_is_refused_in_a_sentence(dt: float) -> None:
    with pytest.raises(InvalidSetting, match=r"^dt: "):
        steps_of(40.0, dt)


def test_samples_that_are_no_events_have_steps_of_no_length() -> None:
    assert not data.in_time("digits")
    assert data.shape("digits", 3.0) == data.shape("digits")
    assert all(data.in_time(name) for name in ("sequence", "yin-yang", "fsdd-spikes"))


def test_a_recipe_states_the_length_of_a_step() -> None:
    config = from_recipe(recipe.find("yin-yang"), {"network": {"dt": 0.25}})
    assert data.shape(config.data.name, config.network.dt).steps == 160
    with pytest.raises(InvalidSetting, match=r"network\.dt"):
        from_recipe(recipe.find("yin-yang"), {"network": {"dt": 0}})


# Recordings as spikes


FRONT_END = fsdd_spikes.FRONT_END


def test_a_rising_and_falling_band_spikes_at_each_level_on_the_way_up_and_down() -> None:
    small = replace(FRONT_END, bands=2, levels=3, hop=8)
    z = np.zeros((7, 2))
    z[:, 1] = [0, 1, 2, 2.5, 1.5, 0.5, 0]  # a level at 1, 2 on the way up; back through 1 and 0
    found = cochlea.crossings(z, small)
    np.testing.assert_allclose(found.times, [1, 2, 4.5, 6])
    up, down = small.of_band, small.of_band + small.levels
    np.testing.assert_array_equal(found.channels, [up, up + 1, down + 1, down])


def test_crossings_within_a_step_are_interpolated_and_noise_of_less_than_a_level_is_silent() -> None:
    small = replace(FRONT_END, bands=1, levels=4)
    jump = cochlea.crossings(np.array([[0.0], [4.0], [4.0]]), small)
    np.testing.assert_allclose(jump.times[:4], [0.25, 0.5, 0.75, 1.0])
    wobble = 2.5 + 0.45 * np.sin(np.arange(200.0))
    found = cochlea.crossings(wobble[:, None], small)
    assert (found.times[2:] >= 199).all(), "two levels up at once, and down at the end"
    with_silence = cochlea.crossings(np.zeros((5, 1)), small)
    assert not len(with_silence.times)


@given(st.integers(0, 2**32 - 1))
def test_levels_are_crossed_one_after_the_other_and_all_are_left_at_the_end(seed: int) -> None:
    small = replace(FRONT_END, bands=3, levels=5)
    z = np.random.default_rng(seed).uniform(0, 5, (30, 3))
    found = cochlea.crossings(z, small)
    assert (np.diff(found.times) >= 0).all()
    for band in range(3):
        mine = found.channels // small.of_band == band
        channel = found.channels[mine] % small.of_band
        way = np.where(channel < small.levels, 1, -1)
        level = np.where(way > 0, channel + 1, channel - small.levels)
        np.testing.assert_array_equal(np.cumsum(way), level)
        assert level.size == 0 or level[-1] == 0


def test_a_tone_is_heard_where_its_pitch_is_and_silence_nowhere() -> None:
    t = np.arange(4000) / FRONT_END.rate
    heard = []
    for pitch in (300.0, 1000.0, 3000.0):
        sound = (8000 * np.sin(2 * np.pi * pitch * t) * np.hanning(4000)).astype(np.int16)
        found = cochlea.spikes(sound, FRONT_END)
        top = found.channels[found.channels % FRONT_END.of_band == FRONT_END.levels - 2]
        heard.append(float((top // FRONT_END.of_band).mean()))
    assert heard == sorted(heard)
    assert heard[0] < heard[1] < heard[2]
    assert not len(cochlea.spikes(np.zeros(4000, np.int16), FRONT_END).times)


def test_loudness_does_not_depend_on_the_volume() -> None:
    quiet = word(500, seed=1)
    np.testing.assert_allclose(
        cochlea.loudness(quiet, FRONT_END), cochlea.loudness((quiet * 2).astype(np.int16), FRONT_END), atol=1e-3
    )


def test_spikes_are_counted_once_a_step_and_those_without_a_place_are_told() -> None:
    found = cochlea.Spikes(np.array([0.0, 0.9, 1.0, 9.9, 10.0]), np.array([1, 1, 1, 0, 0]))
    x, late, crowded = cochlea.binned(found, 2, 1.0, 10)
    assert (late, crowded) == (1, 1)
    np.testing.assert_array_equal(np.argwhere(x), [[0, 1], [1, 1], [9, 0]])


def test_spoken_digits_become_spikes_split_by_speaker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASRC_DATA", str(tmp_path / "data"))
    for digit in range(10):
        for i, speaker in enumerate(SPEAKERS):
            sound = word(200 + 150 * digit, seed=10 * digit + i, seconds=0.1)
            put_wav(tmp_path / "data" / HOME / f"{digit}_{speaker}_0.wav", sound)
    loaded = data.load("fsdd-spikes", 5.0)
    assert {split: x.shape for split, (x, _) in loaded.parts().items()} == {
        "train": (30, 160, 240),
        "test": (20, 160, 240),
        "validation": (10, 160, 240),
    }
    assert loaded.shape == data.shape("fsdd-spikes", 5.0)
    assert loaded.train_x.max() == 1
    assert loaded.class_names == tuple("0123456789")
    assert "spikes come after 800 ms and were left out" in loaded.notes[0]


# Augmentation


def test_a_shift_moves_whole_places_and_drops_what_leaves() -> None:
    torch.manual_seed(0)
    x = torch.zeros(40, 5, 12, dtype=torch.uint8)
    x[:, 2, 4] = x[:, 3, 5] = 1
    moved = shifted(x, 2, of_place=4)
    ends = {tuple(each.nonzero()[:, 1].tolist()) for each in moved}
    assert ends == {(), (0, 1), (4, 5), (8, 9)}
    assert shifted(x, 0) is x


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_moves_by_rows_and_columns_in_whatever_order_it_is_scanned(channels: int) -> None:
    torch.manual_seed(0)
    x = torch.zeros(200, 3 * 4, channels, dtype=torch.uint8)
    x[:, 1 * 4 + 2] = 7
    moved = shifted_images(x, 1, (3, 4)).view(200, 3, 4, channels)
    assert moved.dtype == torch.uint8
    assert set(moved.flatten().tolist()) == {0, 7}
    places = {tuple(each.nonzero()[0, :2].tolist()) for each in moved}
    assert places == {(row, column) for row in range(3) for column in (1, 2, 3)}
    assert all(len(each.nonzero()) == channels for each in moved)

    order = torch.randperm(12)
    torch.manual_seed(0)
    x = torch.arange(12, dtype=torch.uint8).view(1, 12, 1).repeat(50, 1, channels)
    drawn = torch.get_rng_state()
    scanned = shifted_images(x, 2, (3, 4))
    torch.set_rng_state(drawn)
    assert shifted_images(x[:, order], 2, (3, 4), order).equal(scanned[:, order])


def test_an_image_that_moves_leaves_zeros_behind() -> None:
    torch.manual_seed(0)
    x = torch.full((100, 6, 1), 9, dtype=torch.uint8)
    assert {int((each == 0).sum()) for each in shifted_images(x, 1, (2, 3))} == {0, 2, 3, 4}


def test_what_comes_in_or_is_left_out_is_what_stands_for_zero() -> None:
    torch.manual_seed(0)
    x = torch.full((50, 6, 4), 128, dtype=torch.uint8)
    x[:, 2, 1] = 90  # below zero, which is 128
    moved = shifted(x, 1, zero=128)
    assert {tuple(each.tolist()) for each in (moved == 90).nonzero()[:, 1:]} == {(2, 0), (2, 1)}
    assert set(moved.flatten().tolist()) == {90, 128}
    image = shifted_images(x[:, :, :1] * 0 + 7, 1, (2, 3), zero=128)
    assert set(image.flatten().tolist()) == {7, 128}
    mixed = blended(x, torch.zeros(50), 1.0, x, torch.zeros(50), zero=128)
    assert set(mixed.flatten().tolist()) == {90, 128}
    assert 25 < int((mixed == 90).sum()) < 50  # each of the two is kept with probability 1/2


@pytest.mark.parametrize("channels", [1, 3])
def test_samples_without_places_are_not_shifted(channels: int, tmp_path: Path) -> None:
    path, draw = tmp_path / "one.npz", np.random.default_rng(0)
    np.savez(path, x=draw.normal(size=(20, 12, channels)), y=np.arange(20) % 2)
    with pytest.raises(
        InvalidSetting, match="are no images, and their channels stand along no axis such as pitch; leave"
    ):
        fit(configured("digits", data=str(path), shift=1), tmp_path / "model.pt")
    assert not list(tmp_path.glob("model.pt*"))


@pytest.mark.parametrize("data", ["yin-yang", "sequence"])
def test_coordinates_and_single_events_are_not_shifted_into_each_other(data: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="their channels stand along no axis such as pitch; leave"):
        fit(configured(data, shift=1), tmp_path / "model.pt")


def test_a_blend_lies_between_both_samples_and_keeps_half_of_their_events() -> None:
    torch.manual_seed(0)
    first, second = torch.zeros(100, 60, dtype=torch.uint8), torch.zeros(100, 60, dtype=torch.uint8)
    first[20:40, 10:20] = 1
    second[60:80, 30:40] = 1
    pool, classes = torch.stack([second, torch.ones_like(first)]), torch.tensor([3, 4])
    (made,) = blended(first[None], torch.tensor([3]), 1.0, pool, classes)
    events = made.nonzero()
    assert set(events[:, 0].tolist()) <= set(range(40, 60))
    assert set(events[:, 1].tolist()) <= set(range(20, 30))
    assert 120 < len(events) < 180  # of 200 cells, each lit with probability 3/4
    assert blended(first[None], torch.tensor([3]), 0.0, pool, classes)[0].equal(first)


def test_a_blend_with_silence_is_half_of_a_sample() -> None:
    torch.manual_seed(0)
    first = torch.zeros(10, 10, dtype=torch.uint8)
    first[5, 5] = 1
    (made,) = blended(first[None], torch.tensor([0]), 1.0, torch.zeros(1, 10, 10, dtype=torch.uint8), torch.tensor([0]))
    assert made.sum() <= 1


# What was learned


def test_learned_delays_are_counted_for_each_connection() -> None:
    trained = delay_checkpoint()
    analysis = delays("model.pt", trained)
    assert {row["connection"] for row in analysis.rows} == {"layers.0.feedforward", "layers.0.recurrent", "readout"}
    synapses = {"layers.0.feedforward": 48, "layers.0.recurrent": 144, "readout": 36}
    for connection, many in synapses.items():
        assert sum(row["synapses"] for row in analysis.rows if row["connection"] == connection) == many
    assert analysis.draw().axes
    with pytest.raises(UnreadableFile, match="its synapses have no delays of their own; train with"):
        delays("model.pt", replace(trained, tensors={}))
