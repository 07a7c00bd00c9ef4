"""Samples of one's own: every format, splits, classes, zeros and scales; and what bad ones get, before training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from recordings import put_wav, word

from asrc_core import preprocessing
from asrc_core.errors import AsrcError, InvalidData, InvalidSetting, UnknownName, UnreadableFile
from asrc_core.preprocessing import EventFrontEnd, MelFrontEnd, Preprocessing, identity, standardizing
from asrc_train import configured, data, fit
from asrc_train.commands import train as cli
from asrc_train.data.dataset import Dataset, Shape
from asrc_train.data.own import load as own
from asrc_train.settings.config import validated
from asrc_train.sweep import grid
from asrc_train.training.objective import class_weights

Arrays = dict[str, Any]
NAMES = np.array(["left", "right", "up"])


def series(n: int = 30, steps: int = 12, channels: int = 2, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Samples with negative values whose mean says the class, and the classes' names."""
    draw = np.random.default_rng(seed)
    y = np.arange(n) % 3
    x = draw.normal(0, 1, (n, steps, channels)) * [1, 50][:channels] + (y[:, None, None] - 1) * 2.0
    return x, NAMES[y]


def npz(path: Path, **arrays: Any) -> str:
    np.savez(path, **arrays)
    return str(path)


def good(path: Path) -> str:
    x, y = series()
    return npz(path / "my.npz", x=x, y=y)


# What comes of them


def test_a_path_alone_configures_a_training_on_those_samples(tmp_path: Path) -> None:
    path = good(tmp_path)
    for config in (configured(path, epochs=3), configured("digits", data=path)):
        assert config.data.name == path
    assert [run.config.data.name for run in grid.runs(path, {}, [{}], [0, 1])] == [path, path]
    trained = fit(configured(path, epochs=1, hidden=(4,)), tmp_path / "m.pt")
    assert trained.provenance["classes"] == ["left", "right", "up"]


def test_no_name_is_no_path() -> None:
    with pytest.raises(UnknownName):
        configured("")


def test_floats_are_standardised_by_the_training_part_and_the_file_says_how(tmp_path: Path) -> None:
    loaded = data.load(good(tmp_path))
    assert loaded.class_names == ("left", "right", "up")
    assert {name: len(y) for name, (_, y) in loaded.parts().items()} == {"train": 21, "test": 6, "validation": 3}
    assert (loaded.shape.maximum, loaded.shape.zero, loaded.shape.scale) == (255, 128, 1 / 32)
    real = (loaded.train_x.astype(float) - 128) / 32
    np.testing.assert_allclose(real.mean((0, 1)), 0, atol=0.05)
    np.testing.assert_allclose(real.std((0, 1)), 1, atol=0.05)
    made, (x, _) = loaded.preprocessing, series()
    assert made is not None
    found = made.integers(x).x
    exact = np.clip(np.rint((x - np.array(made.zero)) / np.array(made.scale)), 0, 255)
    np.testing.assert_array_equal(found, exact)
    assert all(any(np.array_equal(each, one) for one in found) for each in loaded.test_x)


def test_the_test_part_teaches_no_scale(tmp_path: Path) -> None:
    x, y = series()
    first = data.load(npz(tmp_path / "a.npz", train_x=x, train_y=y, test_x=x, test_y=y))
    second = data.load(npz(tmp_path / "b.npz", train_x=x, train_y=y, test_x=1000 * x, test_y=y))
    assert first.preprocessing == second.preprocessing
    assert any(note.startswith("test: ") and "were cut" in note for note in second.notes)


def test_small_whole_numbers_are_fed_as_they_are(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 8, (30, 5, 2))
    x[:, 0, 0] = 7
    loaded = data.load(npz(tmp_path / "my.npz", x=x, y=np.arange(30) % 2))
    assert loaded.preprocessing == identity(2, 7)
    assert (loaded.shape.maximum, loaded.shape.scale, loaded.shape.zero) == (7, 1 / 7, 0)
    assert all(any(np.array_equal(each, one) for one in x) for each in loaded.train_x)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([1, 2, 3, 4], ("1", "2", "3", "4")),
        ([10, 9, -1, 2], ("-1", "2", "9", "10")),
        (["b", "a", "d", "c"], ("a", "b", "c", "d")),
        ([1.0, 2.0, 3.0, 7.0], ("1", "2", "3", "7")),
        ([b"no", b"yes", b"no", b"yes"], ("no", "yes")),
    ],
)
def test_strings_and_any_whole_numbers_are_classes(tmp_path: Path, labels: list[Any], names: tuple[str, ...]) -> None:
    x, _ = series(40)
    loaded = data.load(npz(tmp_path / "my.npz", x=x, y=np.array(labels * 10)))
    assert loaded.class_names == names
    assert loaded.classes == len(names)


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_classes_of_one_number_written_in_two_ways_have_an_order_in_every_process(seed: str) -> None:
    code = "from asrc_train.data.own import labels; print(*labels.in_order({'1', '01', '001', '0', '00', '2'}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )
    assert done.stdout.split() == ["0", "00", "001", "01", "1", "2"]


def test_samples_of_one_channel_need_no_axis_for_it(tmp_path: Path) -> None:
    x, y = series(channels=1)
    whole, flat = (data.load(npz(tmp_path / f"{i}.npz", x=each, y=y)) for i, each in enumerate((x, x[:, :, 0])))
    np.testing.assert_array_equal(whole.train_x, flat.train_x)


def test_splits_are_drawn_by_class_and_always_the_same(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    y = np.concatenate([np.zeros(3), np.ones(50)]).astype(int)
    x = draw.normal(size=(53, 4, 1))
    first, second = (data.load(npz(tmp_path / f"{i}.npz", x=x, y=y)) for i in range(2))
    for split, (mine, labels) in first.parts().items():
        assert set(labels) == {0, 1}
        np.testing.assert_array_equal(mine, second.parts()[split][0])
    assert sum(len(labels) for _, labels in first.parts().values()) == 53


def test_shorter_samples_are_padded_with_zero_and_teach_only_by_their_own_steps(tmp_path: Path) -> None:
    x, y = series()
    lengths = np.where(np.arange(30) % 2, 12, 5)
    padded = np.where(np.arange(12)[None, :, None] < lengths[:, None, None], x, 1e6)
    loaded = data.load(npz(tmp_path / "my.npz", x=padded, y=y, lengths=lengths))
    made = loaded.preprocessing
    assert made is not None
    assert max(map(abs, made.zero)) < 1000
    short = [each for each in loaded.train_x if (each[5:] == 128).all()]
    assert 0 < len(short) < len(loaded.train_x)
    assert any("are shorter than 12 steps and were padded with zero" in note for note in loaded.notes)


# Every format gives the same


def test_npz_npy_csv_ts_and_folders_give_the_same_data_set(tmp_path: Path) -> None:
    x, y = series()
    expected = data.load(npz(tmp_path / "my.npz", x=x, y=y))
    np.save(tmp_path / "my_x.npy", x)
    np.save(tmp_path / "my_y.npy", y)
    rows = ["sample,label,a,b"]
    rows += [f"{i},{y[i]},{a!r},{b!r}" for i in range(30) for a, b in x[i].tolist()]
    (tmp_path / "my.csv").write_text("\n".join(rows) + "\n")
    lines = [":".join(",".join(map(repr, channel)) for channel in x[i].T.tolist()) + f":{y[i]}" for i in range(30)]
    (tmp_path / "my.ts").write_text("# made\n@classLabel true left right up\n@data\n" + "\n".join(lines))
    (tmp_path / "arrays").mkdir()
    np.save(tmp_path / "arrays" / "x.npy", x)
    np.save(tmp_path / "arrays" / "y.npy", y)
    for name in ("my_x.npy", "my.csv", "my.ts", "arrays"):
        found = data.load(str(tmp_path / name))
        assert found.preprocessing is not None
        assert found.preprocessing.names == (("a", "b") if name == "my.csv" else None)
        assert found.preprocessing.model_copy(update={"names": None}) == expected.preprocessing
        assert found.class_names == expected.class_names
        assert ("channels are the columns a, b" in found.notes) == (name == "my.csv")
        for split, (mine, labels) in expected.parts().items():
            np.testing.assert_array_equal(found.parts()[split][0], mine)
            np.testing.assert_array_equal(found.parts()[split][1], labels)


@pytest.mark.parametrize("header", [None, "a,b", "0,1"], ids=["none", "names", "counted as pandas does"])
def test_a_sample_of_a_file_of_its_own_needs_no_header(header: str | None, tmp_path: Path) -> None:
    x, y = series()
    for i in range(30):
        for folder in ("tables", "arrays"):
            (tmp_path / folder / str(y[i])).mkdir(parents=True, exist_ok=True)
        rows = [f"{a!r},{b!r}" for a, b in x[i].tolist()]
        (tmp_path / "tables" / str(y[i]) / f"{i:02}.csv").write_text("\n".join([header, *rows] if header else rows))
        np.save(tmp_path / "arrays" / str(y[i]) / f"{i:02}.npy", x[i])
    found, expected = data.load(str(tmp_path / "tables")), data.load(str(tmp_path / "arrays"))
    assert preprocessing.alike(found.preprocessing, expected.preprocessing)
    np.testing.assert_array_equal(found.train_x, expected.train_x)


def test_a_first_row_that_may_be_a_name_or_a_value_is_refused(tmp_path: Path) -> None:
    for label in "ab":
        (tmp_path / "tables" / label).mkdir(parents=True)
        for i in range(4):
            (tmp_path / "tables" / label / f"{i}.csv").write_text("0\n1\n0\n")
    with pytest.raises(InvalidData, match=r"its first row is 0, which may be .* its first value; name the column"):
        data.load(str(tmp_path / "tables"))


def test_a_table_with_a_row_for_each_sample_has_one_channel_and_may_say_splits(tmp_path: Path) -> None:
    x, y = series(channels=1)
    split = np.array(["train", "train", "train", "validation", "test"])[np.arange(30) // 3 % 5]
    rows = ["label,split,0,1,2", *(f"{y[i]},{split[i]},{','.join(map(repr, x[i, :3, 0].tolist()))}" for i in range(30))]
    (tmp_path / "my.csv").write_text("\n".join(rows))
    loaded = data.load(str(tmp_path / "my.csv"))
    assert loaded.train_x.shape == (18, 3, 1)
    assert [len(labels) for _, labels in loaded.parts().values()] == [18, 6, 6]


def test_a_byte_order_mark_changes_nothing(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    texts = {
        "my.csv": "sample,label,a\n"
        + "".join(f"{i},{'no' if i % 2 else 'yes'},{draw.normal()}\n" for i in range(30) for _ in range(4)),
        "wide.csv": "label,0,1\n" + "".join(f"{i % 2},{draw.normal()},{draw.normal()}\n" for i in range(30)),
        "my.ts": "@data\n" + "".join(f"{draw.normal()},{draw.normal()}:{i % 2}\n" for i in range(30)),
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        plain = data.load(str(path))
        path.write_text(text, encoding="utf-8-sig")
        marked = data.load(str(path))
        assert (marked.shape, marked.notes) == (plain.shape, plain.notes)
        np.testing.assert_array_equal(marked.train_x, plain.train_x)
        np.testing.assert_array_equal(marked.train_y, plain.train_y)


def test_the_archives_two_files_are_one_data_set(tmp_path: Path) -> None:
    for name, count in (("A_TRAIN.ts", 12), ("A_TEST.ts", 6)):
        x, y = series(count, seed=count)
        lines = [":".join(",".join(map(repr, c)) for c in x[i].T.tolist()) + f":{y[i]}" for i in range(count)]
        (tmp_path / name).write_text("@data\n" + "\n".join(lines))
    for name in ("A_TRAIN.ts", "A_TEST.ts"):
        assert len(data.load(str(tmp_path / name)).test_y) == 6


def test_a_folder_with_a_file_for_each_sample_may_have_samples_of_any_length(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for label in ("walk", "rest"):
        (tmp_path / "my" / label).mkdir(parents=True)
        for i in range(5):
            np.save(tmp_path / "my" / label / f"{i}.npy", draw.normal(size=(4 + i, 3)))
    loaded = data.load(str(tmp_path / "my"))
    assert loaded.class_names == ("rest", "walk")
    assert loaded.channels == 3
    assert any("padded" in note for note in loaded.notes)


def put_words(folder: Path, rate: int = 16_000) -> str:
    for k, label in enumerate(("high", "low")):
        for i in range(5):
            put_wav(folder / label / f"{i}.wav", word(400 + 900 * k, seed=i, seconds=0.1 + 0.01 * i, rate=rate), rate)
    return str(folder)


def test_a_folder_of_recordings_becomes_mel_features_of_their_rate(tmp_path: Path) -> None:
    loaded = data.load(put_words(tmp_path / "words"))
    made = loaded.preprocessing
    assert made is not None
    assert isinstance(made.front_end, MelFrontEnd)
    assert (made.front_end.rate, made.front_end.hop, made.front_end.window) == (16_000, 160, 480)
    assert loaded.channels == 40
    assert loaded.class_names == ("high", "low")


def events(count: int, seed: int, unit: float = 1.0, pixels: bool = True) -> NDArray[Any]:
    draw = np.random.default_rng(seed)
    t = np.sort(draw.uniform(0, 0.5, count)) * unit
    if not pixels:
        return np.column_stack([t, draw.integers(0, 20, count)])
    return np.column_stack([t, draw.integers(0, 6, count), draw.integers(0, 4, count), draw.integers(0, 2, count)])


@pytest.mark.parametrize(("pixels", "channels"), [(True, 48), (False, 20)])
def test_events_are_counted_in_a_hundred_steps(tmp_path: Path, pixels: bool, channels: int) -> None:
    each = [events(300, i, pixels=pixels) for i in range(12)]
    path = npz(tmp_path / "e.npz", events=np.concatenate(each), counts=[300] * 12, y=np.arange(12) % 2)
    loaded = data.load(path)
    assert (loaded.steps, loaded.channels) == (100, channels)
    made = loaded.preprocessing
    assert made is not None
    front_end = made.front_end
    assert isinstance(front_end, EventFrontEnd)
    assert front_end.width == pytest.approx(0.005, rel=0.02)
    assert int(loaded.train_x.sum()) <= 300 * len(loaded.train_y)
    assert int(loaded.train_x.sum()) >= 290 * len(loaded.train_y)
    t, *place = each[0][0]
    unit = int((place[2] * 4 + place[1]) * 6 + place[0]) if pixels else int(place[0])
    assert any(x[int(t / front_end.width), unit] for x in loaded.train_x)


@pytest.mark.parametrize(("pixels", "by"), [(True, 3), (False, 1)], ids=["by polarity", "by unit"])
def test_events_may_come_in_another_order_than_that_of_time(tmp_path: Path, pixels: bool, by: int) -> None:
    each = [events(200, i, pixels=pixels) for i in range(10)]
    kept = [of[np.argsort(of[:, by], kind="stable")] for of in each]
    first, second = (
        data.load(npz(tmp_path / "e.npz", events=np.concatenate(of), counts=[200] * 10, y=np.arange(10) % 2))
        for of in (each, kept)
    )
    assert np.array_equal(first.train_x, second.train_x)


def test_event_files_by_class_and_a_table_of_events_give_the_same_as_one_file(tmp_path: Path) -> None:
    each = [events(200, i) for i in range(12)]
    labels = ["a", "b"] * 6
    order = np.argsort(np.array(labels), kind="stable")
    expected = data.load(
        npz(
            tmp_path / "e.npz",
            events=np.concatenate([each[i] for i in order]),
            counts=[200] * 12,
            y=np.array(labels)[order],
        )
    )
    rows = ["sample,label,p,x,t,y"]
    for i in order:
        rows += [f"s{i},{labels[i]},{p:g},{x:g},{t!r},{y:g}" for t, x, y, p in each[i].tolist()]
    (tmp_path / "e.csv").write_text("\n".join(rows))
    fields = [("t", float), ("x", int), ("y", int), ("p", int)]
    for i in order:
        (tmp_path / "folder" / labels[i]).mkdir(parents=True, exist_ok=True)
        array = np.array([tuple(row) for row in each[i].tolist()], dtype=fields)
        np.save(tmp_path / "folder" / labels[i] / f"{i:02}.npy", array)
    for name in ("e.csv", "folder"):
        found = data.load(str(tmp_path / name))
        np.testing.assert_array_equal(found.train_x, expected.train_x)
        np.testing.assert_array_equal(found.test_x, expected.test_x)


def test_channels_stand_along_an_axis_only_where_they_are_units_or_pitches(tmp_path: Path) -> None:
    pixels, units = (
        npz(
            tmp_path / f"{of}.npz",
            events=np.concatenate([events(50, i, pixels=of) for i in range(10)]),
            counts=[50] * 10,
            y=np.arange(10) % 2,
        )
        for of in (True, False)
    )
    for path, along in ((good(tmp_path), False), (pixels, False), (units, True), (put_words(tmp_path / "w"), True)):
        shape = data.load(path).shape
        assert shape.of_place == (1 if along else shape.channels)


def test_a_large_field_is_pooled(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    each = np.column_stack([draw.uniform(0, 1, 4000), *draw.integers(0, 128, (2, 4000)), draw.integers(0, 2, 4000)])
    loaded = data.load(npz(tmp_path / "e.npz", events=each, counts=[400] * 10, y=np.arange(10) % 2))
    assert loaded.channels == 32 * 32 * 2


def test_counts_of_events_reach_as_far_as_the_training_part_does(tmp_path: Path) -> None:
    """The proof that no membrane saturates takes every channel for as large as the data set says it can be."""
    for part, at_once in (("train", 3), ("test", 5)):
        for label in ("a", "b"):
            (tmp_path / "e" / part / label).mkdir(parents=True)
            for i in range(3):
                rows = [(t, unit) for t in (0.01, 0.4) for unit in range(4)] + [(0.2, i)] * at_once
                array = np.array(sorted(rows), dtype=[("t", float), ("unit", int)])
                np.save(tmp_path / "e" / part / label / f"{i}.npy", array)
    loaded = data.load(str(tmp_path / "e"))
    assert loaded.maximum == loaded.train_x.max() == loaded.test_x.max() == 3
    assert loaded.scale == 1
    assert "a channel counts up to 3 events in a step of the training part" in loaded.notes
    cut = "test: 6 of 2,400 values lie beyond 3, the largest of the training part, and were cut to it"
    assert cut in loaded.notes


# What bad input gets


def bad(tmp_path: Path, what: str) -> str:
    x, y = series()
    hole, far = x.copy(), x.copy()
    hole[4, 3, 1], far[2, 1, 0] = np.nan, np.inf
    path = tmp_path / "my.npz"
    one = np.where(np.arange(30) == 7, "only", y)
    arrays: dict[str, Arrays] = {
        "NaN": {"x": hole, "y": y},
        "infinity": {"x": far, "y": y},
        "too large": {"x": x * [1, 1e300], "y": y},
        "no labels": {"x": x},
        "labels short": {"x": x, "y": y[:-1]},
        "labels in a table": {"x": x, "y": np.zeros((30, 2))},
        "labels measured": {"x": x, "y": np.linspace(0, 1, 30)},
        "labels NaN": {"x": x, "y": np.where(np.arange(30) == 3, np.nan, 1.0)},
        "one class": {"x": x, "y": np.ones(30)},
        "one sample": {"x": x, "y": one},
        "no x": {"samples": x, "y": y},
        "no test": {"train_x": x, "train_y": y},
        "test beside whole": {"x": x, "y": y, "test_x": x, "test_y": y},
        "whole beside splits": {"train_x": x, "train_y": y, "test_x": x, "test_y": y, "x": x, "y": y},
        "lengths of no part": {"train_x": x, "train_y": y, "test_x": x, "test_y": y, "lengths": np.full(30, 5)},
        "events beside samples": {"x": x, "y": y, "events": events(50, 1), "counts": [5] * 10},
        "other channels": {"train_x": x, "train_y": y, "test_x": x[:, :, :1], "test_y": y},
        "split without a class": {"train_x": x, "train_y": y, "test_x": x[y != "up"], "test_y": y[y != "up"]},
        "objects": {"x": np.array([x[0], x[1, :5]], dtype=object), "y": y[:2]},
        "complex": {"x": x + 1j, "y": y},
        "lengths": {"x": x, "y": y, "lengths": np.full(30, 13)},
        "milliseconds": {
            "events": np.concatenate([events(50, i, unit=1e3) for i in range(12)]),
            "counts": [50] * 12,
            "y": [0, 1] * 6,
        },
        "events with t last": {
            "events": np.concatenate([np.roll(events(50, i) * [100, 1, 1, 1] // 1, -1, 1) for i in range(12)]),
            "counts": [50] * 12,
            "y": [0, 1] * 6,
        },
        "events left over": {"events": events(50, 1), "counts": [10] * 4, "y": [0, 1] * 2},
    }
    return npz(path, **arrays[what])


SAYS = [
    ("NaN", r"sample \d+ holds NaN or infinity at step 3, channel 1; fill in"),
    ("too large", r"channel 1 has values too large for a mean and a deviation; give it in a larger unit"),
    ("infinity", r"holds NaN or infinity at step 1, channel 0"),
    ("no labels", r"the labels are missing: it has no 'y'; give x"),
    ("labels short", r"30 samples in 'x' and 29 labels in 'y'; give one label for each sample"),
    ("labels in a table", r"'y' has the shape \(30, 2\); give one label"),
    ("labels measured", r"its label 0\.03\d+ is no class; give whole numbers or names"),
    ("labels NaN", "its label is NaN or infinite"),
    ("one class", "every label is '1', and there is nothing to tell apart"),
    ("one sample", r"class 'only' has 1 sample to share between train and test; add some"),
    ("no x", "it holds samples, y and neither x nor train_x"),
    ("no test", "it has train_x and no test_x"),
    ("test beside whole", "it has 'x' beside 'test_x'; name it 'train_x', or leave one of them out"),
    ("whole beside splits", "it has 'x' beside 'train_x'; name it 'train_x', or leave one of them out"),
    ("lengths of no part", "it has 'lengths' beside 'train_x'; name it 'train_lengths'"),
    ("events beside samples", "it has 'x' beside 'events'; leave one of them out"),
    ("other channels", "test sample 0 has 1 channel, and the first training sample has 2"),
    ("split without a class", "split 'test': it has no sample of class 'up'"),
    ("objects", r"'x' holds objects, which would be read by running a pickle; .* 'lengths'"),
    ("complex", "'x' is complex128 of shape"),
    ("lengths", "'lengths' is not a number of steps from 1 to 12 for each of 30 samples"),
    ("milliseconds", r"its times are not in seconds: .* as if they were milliseconds; divide"),
    (
        "events with t last",
        "its last column is in order of time, and its first one, taken for t, is not; give columns t",
    ),
    ("events left over", "'counts' adds up to 40 and there are 50 events"),
]


@pytest.mark.parametrize(("what", "says"), SAYS, ids=[what for what, _ in SAYS])
def test_bad_arrays_are_named_with_a_way_out_before_anything_is_trained(
    tmp_path: Path, what: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = bad(tmp_path, what)
    with pytest.raises((InvalidData, UnreadableFile), match=says):
        data.load(path)
    out = tmp_path / "m.pt"
    assert cli.main(["--data", path, "--epochs", "1", "--out", str(out)]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("asrc-train: ")
    assert said.err.count("\n") == 1
    assert not out.exists()


def test_an_object_array_runs_no_code(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    np.savez(tmp_path / "my.npz", x=np.array([Runs()], dtype=object), y=[1], allow_pickle=True)
    with pytest.raises(UnreadableFile, match="holds objects"):
        data.load(str(tmp_path / "my.npz"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "its first row does not name each column once"),
        ("sample,a\n1,2\n", "it has no labels: no column is called label or class or y"),
        ("label,a,a\nx,1,2\n", "its first row does not name each column once"),
        ("label,a,b\nx,1\n", "row 2 has 2 values for 3 columns"),
        ("label,a\nx,\n", "row 2 has '' in column 'a', which is no number; fill in what is missing"),
        ("sample,label,a\n1,x,1\n1,y,1\n", "the sample of row 2 has several in column 'label': x, y"),
        ("sample,label,a\n,x,1\n", "row 2 does not say which sample"),
        ("label,split,a\nx,training,1\n", "a sample is of split 'training'; the splits are train, validation, test"),
        ("label,split,a\nx,train,1\n", "does not name both train and test"),
        ("label,a\n", "it has no rows"),
        ("label\nx\n", "no column holds values"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_naming_the_row(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "my.csv").write_text(text)
    with pytest.raises(InvalidData, match=says):
        data.load(str(tmp_path / "my.csv"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1,2:a\n", "line 1 comes before '@data'"),
        ("@classLabel false\n@data\n1,2\n", "the labels are missing"),
        ("@data\n1,2:1:a\n", r"line 2 has channels of \[1, 2\] steps"),
        ("@data\n1,x:a\n", "line 2 has values that are no numbers"),
        ("@data\n", "it has no samples"),
    ],
)
def test_an_archives_file_that_does_not_fit_is_refused_naming_the_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "my.ts").write_text(text)
    with pytest.raises(InvalidData, match=says):
        data.load(str(tmp_path / "my.ts"))


def test_folders_that_are_empty_or_mixed_and_paths_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"it is not there; give .npz"):
        data.load(str(tmp_path / "my.npz"))
    (tmp_path / "my").mkdir()
    with pytest.raises(InvalidData, match="it is empty; make a folder for each class"):
        data.load(str(tmp_path / "my"))
    (tmp_path / "my" / "a").mkdir()
    with pytest.raises(InvalidData, match=r"it has no .wav, .npy or .csv file"):
        data.load(str(tmp_path / "my"))
    put_wav(tmp_path / "my" / "a" / "1.wav", word(440, 1))
    np.save(tmp_path / "my" / "a" / "2.npy", np.ones((3, 1)))
    with pytest.raises(InvalidData, match=r"it has .npy and .wav files"):
        data.load(str(tmp_path / "my"))
    np.save(tmp_path / "z.npy", np.ones((3, 1)))
    with pytest.raises(InvalidData, match="its name does not end in x"):
        data.load(str(tmp_path / "z.npy"))
    np.save(tmp_path / "x.npy", np.ones((3, 1)))
    with pytest.raises(InvalidData, match=r"there are no labels: 'y.npy' is not beside it"):
        data.load(str(tmp_path / "x.npy"))


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16_000, 2)])
def test_a_recording_of_another_rate_or_of_two_channels_is_named(tmp_path: Path, rate: int, channels: int) -> None:
    path = put_words(tmp_path / "words")
    put_wav(tmp_path / "words" / "low" / "3.wav", word(440, 1), rate, channels)
    with pytest.raises(
        UnreadableFile, match=rf"3.wav': it has {channels} channels? of 16 bits at {rate:,} Hz in place"
    ):
        data.load(path)


def test_an_archive_that_announces_more_than_it_may_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    header = json.dumps({"descr": "<f8", "fortran_order": False, "shape": [1 << 20, 1 << 12, 64]})
    text = header.replace("false", "False").replace('"', "'").replace("[", "(").replace("]", ")")
    content = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()
    with zipfile.ZipFile(tmp_path / "my.npz", "w") as archive:
        archive.writestr("x.npy", content)
        archive.writestr("y.npy", content)
    with pytest.raises(UnreadableFile, match="'x' takes 2,199,023,255,552 bytes, more than"):
        data.load(str(tmp_path / "my.npz"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(drawn=st.data())
def test_whatever_a_damaged_file_holds_it_is_read_or_refused(tmp_path: Path, drawn: st.DataObject) -> None:
    suffix = drawn.draw(st.sampled_from([".npz", ".csv", ".ts"]))
    x, y = series(12, steps=3)
    path = tmp_path / f"my{suffix}"
    if suffix == ".npz":
        np.savez(path, x=x, y=y)
    else:
        rows = ["sample,label,a,b", *(f"{i},{y[i]},{a},{b}" for i in range(12) for a, b in x[i].round(2).tolist())]
        lines = [
            "@data",
            *(":".join(",".join(map(str, c)) for c in x[i].T.round(2).tolist()) + f":{y[i]}" for i in range(12)),
        ]
        path.write_text("\n".join(rows if suffix == ".csv" else lines))
    content = bytearray(path.read_bytes())
    for at, value in drawn.draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=6)):
        content[at] = value
    path.write_bytes(bytes(content[: drawn.draw(st.integers(0, len(content)))]))
    try:
        loaded = data.load(str(path))
    except AsrcError as error:
        assert "\n" not in str(error)
        return
    assert loaded.train_x.dtype == np.uint8


def test_a_data_set_that_does_not_keep_what_it_states_is_refused() -> None:
    x, y = np.full((4, 2, 1), 9, np.uint8), np.array([0, 1, 0, 1])
    shape = Shape(2, 1, 2, 9, 1.0)
    Dataset("mine", shape, x, y, x, y)
    for wrong, says in (
        ({"shape": Shape(2, 1, 2, 7, 1.0)}, "go up to 9, beyond its maximum 7"),
        ({"train_x": x.astype(np.float32)}, "its train samples are float32 of shape"),
        ({"train_y": y + 1}, "its train labels are 1 to 2, and the"),
        ({"test_y": y[:3]}, "its test part has 4 samples and labels"),
        ({"train_y": np.array(["a", "b", "a", "b"])}, "labels <U1 of shape"),
    ):
        with pytest.raises(InvalidData, match=says):
            Dataset("mine", **{"shape": shape, "train_x": x, "train_y": y, "test_x": x, "test_y": y, **wrong})  # type: ignore[arg-type]


# A network's own preprocessing


def test_another_file_is_fed_by_what_the_network_states(tmp_path: Path) -> None:
    first = data.load(good(tmp_path))
    made = first.preprocessing
    assert made is not None
    known = own.Known(made, first.class_names, first.steps, first.scale)
    x, y = series(seed=5)
    second = own.load(npz(tmp_path / "b.npz", x=10 * x[:7], y=y[:7]), known=known)
    assert second.preprocessing == made
    assert (second.shape.steps, second.shape.scale, second.class_names) == (12, 1 / 32, first.class_names)
    assert any(np.array_equal(each, made.integers(10 * x[i]).x) for each in second.test_x for i in range(7))
    with pytest.raises(InvalidData, match="sample 0 has 1 channel, and the network was trained on 2"):
        own.load(npz(tmp_path / "c.npz", x=x[:, :, :1], y=y), known=known)
    with pytest.raises(InvalidData, match="'down' is none of the 3 classes that the network was trained on"):
        own.load(npz(tmp_path / "d.npz", x=x, y=np.where(y == "up", "down", y)), known=known)


@given(
    zero=st.floats(-1e6, 1e6), scale=st.floats(1e-6, 1e6), raw=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=5)
)
def test_integers_are_the_equation_and_what_is_cut_is_counted(zero: float, scale: float, raw: list[float]) -> None:
    made = Preprocessing(zero=(zero,), scale=(scale,))
    found = made.integers(np.array(raw)[:, None])
    exact = [np.rint((value - zero) / scale) for value in raw]
    assert found.x[:, 0].tolist() == [int(min(max(value, 0), 255)) for value in exact]
    assert found.cut == sum(not 0 <= value <= 255 for value in exact)


@pytest.mark.parametrize(
    "stated",
    [
        {"zero": [0.0], "scale": [0.0]},
        {"zero": [0.0, 1.0], "scale": [1.0]},
        {"zero": [], "scale": []},
        {"zero": [0.0], "scale": [1.0], "maximum": 256},
        {"zero": [0.0], "scale": [1.0], "front_end": {"kind": "other"}},
        {"zero": [float("nan")], "scale": [1.0]},
        "none",
    ],
)
def test_a_preprocessing_that_is_none_is_refused(stated: Any) -> None:
    with pytest.raises(InvalidSetting, match="preprocessing in the network's file, key"):
        preprocessing.of({preprocessing.KEY: stated})


def test_names_that_are_not_one_for_each_class_are_refused() -> None:
    assert preprocessing.classes_of({}, 3) == ("0", "1", "2")
    for stated in (["a"], "abc", [1, 2, 3], {"a": 1}):
        with pytest.raises(InvalidSetting, match="classes in the network's file"):
            preprocessing.classes_of({preprocessing.CLASSES: stated}, 3)


def test_a_channel_that_never_changes_has_a_scale() -> None:
    made = standardizing(np.array([5.0]), np.array([0.0]), 32, 128)
    assert made.integers(np.array([[5.0]])).x.tolist() == [[128]]


def test_balanced_weights_make_every_class_count_the_same() -> None:
    import torch

    config = validated({"data": {"name": "digits"}, "training": {"class_weights": "balanced"}}, "here")
    y = torch.tensor([0, 0, 0, 1])
    weights = class_weights(y, 2, config)
    assert weights is not None
    assert weights.tolist() == pytest.approx([4 / 6, 2])
    assert float(weights[y].sum()) == pytest.approx(4)
    assert class_weights(y, 2, validated({"data": {"name": "digits"}}, "here")) is None
