"""Data sets of events in time: spikes at the steps that their times say."""

from __future__ import annotations

import numpy as np
import pytest

from asrc_core.errors import InvalidSetting
from asrc_train import data
from asrc_train.data import yin_yang
from asrc_train.data.sources.spike_times import MOST_STEPS, at_steps, steps_of
from asrc_train.settings import recipe
from asrc_train.settings.config import from_recipe


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
