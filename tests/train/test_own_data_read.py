"""What files of one's own are read as: columns, labels, parts and steps, and what is refused or told of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from asrc_core import preprocessing
from asrc_core.errors import InvalidData, InvalidSetting
from asrc_core.preprocessing import EventFrontEnd, identity
from asrc_train import data
from asrc_train.data.own import events, folders, load
from asrc_train.settings.config import NetworkConfig

N = 20
Y = np.arange(N) % 2


def series(channels: int = 2, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, 1, (N, 5, channels))


def npz(folder: Path, **arrays: Any) -> str:
    np.savez(folder / "my.npz", **arrays)
    return str(folder / "my.npz")


def csv(path: Path, header: str, rows: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, rows, delimiter=",", header=header, comments="", fmt="%.17g")


def by_class(folder: Path, x: NDArray[np.float64], header: str = "", names: tuple[str, str] = ("a", "b")) -> str:
    """A folder for each class, a .csv for each sample."""
    for i, sample in enumerate(x):
        csv(folder / names[Y[i]] / f"{i:02}.csv", header, sample)
    return str(folder)


# Columns


def test_y_is_a_channel_of_a_file_that_is_one_sample(tmp_path: Path) -> None:
    x = series(3)
    found = data.load(by_class(tmp_path / "named", x, "x,y,z"))
    np.save(tmp_path / "x.npy", x)
    arrays = data.load(npz(tmp_path, x=x[np.argsort(Y, kind="stable")], y=np.sort(Y)))
    np.testing.assert_array_equal(found.train_x, arrays.train_x)
    assert found.preprocessing is not None
    assert found.preprocessing.names == ("x", "y", "z")
    assert "channels are the columns x, y, z" in found.notes


def test_y_is_the_label_beside_columns_that_count_steps(tmp_path: Path) -> None:
    csv(tmp_path / "row.csv", "y,0,1,2", np.array([[50.0, 1, 2, 3]]))
    found = folders.one(tmp_path / "row.csv")
    assert (found.values.tolist(), found.left_out) == ([[1, 2, 3]], ("y",))


def test_columns_that_say_which_sample_it_is_are_left_out_and_told(tmp_path: Path) -> None:
    x = np.concatenate([np.ones((N, 5, 2)), series(2)], axis=2)
    found = data.load(by_class(tmp_path / "my", x, "sample,label,x,y"))
    assert found.channels == 2
    assert "columns that are no channels were left out: label, sample (of 20 files)" in found.notes


def test_files_of_one_folder_are_put_in_one_order_of_columns(tmp_path: Path) -> None:
    x = series(2)
    expected = data.load(by_class(tmp_path / "my", x, "u,v"))
    csv(tmp_path / "my" / "b" / "03.csv", "v,u", x[3, :, ::-1])
    found = data.load(str(tmp_path / "my"))
    np.testing.assert_array_equal(found.train_x, expected.train_x)
    np.testing.assert_array_equal(found.test_x, expected.test_x)
    assert "the columns of 1 file were brought into this order" in found.notes
    csv(tmp_path / "my" / "b" / "03.csv", "u,w", x[3])
    with pytest.raises(
        InvalidData, match=r"03.csv': its columns are u, w, and those of the folder's first file are u, v; give the"
    ):
        data.load(str(tmp_path / "my"))


def test_a_folder_is_in_the_order_of_what_is_trained_on(tmp_path: Path) -> None:
    by_class(tmp_path / "my" / "train", series(2, 0), "u,v")
    by_class(tmp_path / "my" / "test", series(2, 1), "v,u")
    found = data.load(str(tmp_path / "my"))
    assert found.preprocessing is not None
    assert found.preprocessing.names == ("u", "v")


def test_events_with_names_may_come_in_any_order(tmp_path: Path) -> None:
    t, p = np.tile(np.linspace(0.5, 0.1, 5), N), np.tile([0, 1, 1, 2, 2], N)
    rows = np.column_stack([np.repeat(np.arange(N), 5), Y.repeat(5), t, p, p, p])
    csv(tmp_path / "e.csv", "sample,label,t,x,y,p", rows)
    assert int(data.load(str(tmp_path / "e.csv")).train_x.sum(dtype=int)) == 5 * 14


def test_a_column_of_pandas_that_counts_rows_is_seen(tmp_path: Path) -> None:
    counted = np.concatenate([np.tile(np.arange(5.0)[None, :, None], (N, 1, 1)), series(1)], axis=2)
    assert "channels are the columns (no name), v" in data.load(by_class(tmp_path / "my", counted, ",v")).notes
    csv(tmp_path / "wide.csv", ",label,0,1", np.column_stack([np.arange(N), Y, series(1)[:, :2, 0]]))
    assert "the steps of a sample are the columns (no name), 0, 1" in data.load(str(tmp_path / "wide.csv")).notes


def long_table(path: Path, header: str, *columns: NDArray[Any]) -> str:
    """A row for each of 5 steps of each sample, each column of (N,) or (N, 5)."""
    csv(path, header, np.column_stack([np.broadcast_to(each.reshape(N, -1), (N, 5)).ravel() for each in columns]))
    return str(path)


def test_y_is_the_label_of_a_table_only_where_no_other_column_is(tmp_path: Path) -> None:
    x, which = series(3), np.arange(N)
    channels = [x[:, :, i] for i in range(3)]
    found = data.load(long_table(tmp_path / "a.csv", "sample,x,y,z,Label", which, *channels, Y))
    assert found.channels == 3
    assert data.load(long_table(tmp_path / "b.csv", "sample,u,y,v", which, channels[0], Y, channels[1])).channels == 2
    with pytest.raises(InvalidData, match=r"'y' stands beside 'x' and 'z', and no .* name the label's column 'label'"):
        data.load(long_table(tmp_path / "c.csv", "sample,activity,x,y,z", which, Y, *channels))
    with pytest.raises(InvalidData, match=r"several in column 'y': .*, or name the label's column 'label'"):
        data.load(long_table(tmp_path / "d.csv", "sample,activity,x,y", which, Y, *channels[:2]))
    (tmp_path / "e.csv").write_text("sample,activity,x,y\n0,walk,1,2\n")
    with pytest.raises(InvalidData, match=r"'walk' in column 'activity', .* if it is the label's, name it 'label'"):
        data.load(str(tmp_path / "e.csv"))


def test_semicolons_and_a_header_alone_are_told_with_a_way_out_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sample;label;v\n0;a;1,5\n")
    with pytest.raises(
        InvalidData, match="has semicolons and no comma; put commas between the columns, and points into the num"
    ):
        data.load(str(tmp_path / "a.csv"))
    quoted = np.repeat(np.arange(N), 5), Y.repeat(5), *series(2).reshape(-1, 2).T
    csv(tmp_path / "quoted.csv", 'sample,label,"v; m/s",w', np.column_stack(quoted))
    assert data.load(str(tmp_path / "quoted.csv")).channels == 2
    folder = by_class(tmp_path / "my", series())
    (tmp_path / "my" / "a" / "00.csv").write_text("u,v\n")
    with pytest.raises(InvalidData, match="it has no rows; give a row for each step of the sample"):
        data.load(folder)


def test_files_without_names_of_channels_stay_alike() -> None:
    old, new = identity(2, 7), identity(2, 7).model_copy(update={"names": ("a", "b")})
    swapped = new.model_copy(update={"names": ("b", "a")})
    assert "names" not in preprocessing.stated(old, ())[preprocessing.KEY]
    assert preprocessing.of(preprocessing.stated(new, ())) == new
    assert preprocessing.alike(old, new)
    assert not preprocessing.alike(new, swapped)
    for names in ([], ["a"], ["a", "a"]):
        with pytest.raises(InvalidSetting, match="preprocessing in the network's file"):
            preprocessing.of({preprocessing.KEY: {"zero": [0, 0], "scale": [1, 1], "names": names}})


# Steps of events


@given(end=st.floats(1e-8, 1e6), steps=st.integers(2, 1000))
@example(end=1e-6, steps=100)
def test_a_sample_ends_within_its_steps(end: float, steps: int) -> None:
    width = events.width_within(end, steps)
    assert float(f"{width:.3g}") == width
    assert 0.98 * steps < end / width < steps


@pytest.mark.parametrize("end", [1.0, 1.003, 0.5, 0.1])
def test_the_last_events_of_samples_that_last_alike_are_counted(tmp_path: Path, end: float) -> None:
    each = np.column_stack([np.linspace(0.01, end, 30), np.arange(30) % 4])
    found = data.load(npz(tmp_path, events=np.tile(each, (N, 1)), counts=np.full(N, 30), y=Y))
    assert (found.train_x.sum((1, 2)) == 30).all()
    assert not [note for note in found.notes if "left out" in note]


def test_a_chosen_dt_is_the_width_of_a_step(tmp_path: Path) -> None:
    each = np.column_stack([np.linspace(0.01, 0.3, 30), np.arange(30) % 4])
    path = npz(tmp_path, events=np.tile(each, (N, 1)), counts=np.full(N, 30), y=Y)
    found = data.load(path, 2.5)
    assert found.preprocessing is not None
    assert found.preprocessing.front_end == EventFrontEnd(steps=121, width=0.0025, units=4)
    assert (found.steps, data.shape(path, 2.5).steps, data.shape(path).steps) == (121, 121, 100)
    assert "events are counted in 121 steps of 2.5 ms" in found.notes
    assert (found.train_x.sum((1, 2)) == 30).all()
    with pytest.raises(InvalidSetting, match=r"dt: a sample of 300 ms would have 300,000 steps of 0.001 ms; choose"):
        data.load(path, 0.001)


def test_the_default_dt_leaves_the_width_to_the_samples() -> None:
    assert NetworkConfig.model_fields["dt"].default == data.UNCHOSEN


def test_polarities_of_minus_one_and_one_are_read_as_zero_and_one() -> None:
    rows = np.array([[0.1, 1, 1, 1], [0.2, 1, 1, -1]])
    assert events.of_array(rows, "here").columns["p"].tolist() == [1, 0]
    with pytest.raises(InvalidData, match="its 'p' has values that are negative"):
        events.of_array(np.array([[0.1, 1, 1, -1], [0.2, 1, 1, 2]]), "here")


# Arrays


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("val_x", "name it 'validation_x', or leave it out"),
        ("valid_x", "name it 'validation_x'"),
        ("X_test", "name it 'test_x'"),
        ("train_lenghts", "name it 'train_lengths'"),
        ("length", "name it 'lengths'"),
        (
            "validation_y",
            "it has 'validation_y' and no 'validation_x'; give 'validation_x', or leave 'validation_y' out",
        ),
    ],
)
def test_arrays_that_look_like_a_part_are_not_passed_over(tmp_path: Path, name: str, says: str) -> None:
    x = series()
    path = npz(tmp_path, train_x=x, train_y=Y, test_x=x, test_y=Y, **{name: np.ones(N, int)})
    with pytest.raises(InvalidData, match=says):
        data.load(path)


def test_other_arrays_are_told_and_not_read(tmp_path: Path) -> None:
    found = data.load(npz(tmp_path, x=series(), y=Y, subject=Y, train_idx=Y, counts=Y, seq_lengths=Y, mean_x=Y))
    assert "arrays that were not read: counts, mean_x, seq_lengths, subject, train_idx" in found.notes
    strange = npz(tmp_path, x=series(), y=Y, **{"\x1b[31mred\n" + 50 * "a": Y})
    assert rf"arrays that were not read: \x1b[31mred\n{27 * 'a'}" in data.load(strange).notes


def test_lengths_beside_an_npy_are_read(tmp_path: Path) -> None:
    for name, array in (("x", series()), ("y", Y), ("lengths", np.full(N, 3))):
        np.save(tmp_path / f"my_{name}.npy", array)
    assert data.load(str(tmp_path / "my_x.npy")).steps == 3


# Whole numbers


def test_values_below_zero_and_above_the_largest_are_told_apart(tmp_path: Path) -> None:
    x = np.tile(np.arange(5)[None, :, None], (N, 1, 2))
    test = x.copy()
    test[:2, 0], test[2, 4] = -1, 9
    found = data.load(npz(tmp_path, train_x=x, train_y=Y, test_x=test, test_y=Y))
    says = "6 of 200 values lie beyond 0 to 4 (4 below 0, 2 above the largest of the training part) and were cut to it"
    assert f"test: {says}" in found.notes


def test_fractions_in_one_part_alone_name_it(tmp_path: Path) -> None:
    x = np.tile(np.arange(5)[None, :, None], (N, 1, 2))
    path = npz(tmp_path, train_x=x, train_y=Y, test_x=x + 0.5 * (np.arange(N) == 7)[:, None, None], test_y=Y)
    says = (
        "test sample 7: it has fractions, and the training part only whole numbers from 0 to 4, fed as they are; give"
    )
    with pytest.raises(InvalidData, match=says):
        data.load(path)


# Labels and splits


def labelled(folder: Path, kind: str, labels: list[str]) -> str:
    if kind == "npz":
        return npz(folder, x=series(1)[: len(labels)], y=np.array(labels))
    (folder / "my.csv").write_text("label,0,1\n" + "".join(f"{label},1,{i}\n" for i, label in enumerate(labels)))
    return str(folder / "my.csv")


@pytest.mark.parametrize("kind", ["npz", "csv"])
def test_labels_in_text_are_what_the_same_numbers_are(tmp_path: Path, kind: str) -> None:
    found = data.load(labelled(tmp_path, kind, ["1.0", "2", "1", "2.0"] * 4))
    assert found.class_names == ("1", "2")
    for label, says in (
        ("0.5", "sample 3: its label 0.5 is no class"),
        ("nan", "sample 3: it has no label, but nan"),
        ("", "sample 3: it has no label; give"),
        ("1.0e300", "sample 3: its label has 301 letters, more than 100"),
    ):
        with pytest.raises(InvalidData, match=says):
            data.load(labelled(tmp_path, kind, ["a", "b", "a", label] * 4))


def test_folders_have_whatever_name_they_like(tmp_path: Path) -> None:
    assert data.load(by_class(tmp_path / "my", series(), names=("0.5", "nan"))).class_names == ("0.5", "nan")


def test_a_bad_label_names_its_split(tmp_path: Path) -> None:
    x = series()
    path = npz(tmp_path, train_x=x, train_y=Y, test_x=x, test_y=np.where(np.arange(N) == 2, 0.5, Y))
    with pytest.raises(InvalidData, match=r"my.npz', test sample 2: its label 0.5 is no class"):
        data.load(path)


def test_a_way_out_does_not_ask_for_the_splits_that_are_there(tmp_path: Path) -> None:
    x, once = series(), np.where(np.arange(N) == 2, 2, Y)
    with pytest.raises(InvalidData, match="split 'train': it has no sample of class '2'; add one"):
        data.load(npz(tmp_path, train_x=x, train_y=Y, test_x=x, test_y=once))
    says = "class '2' has 1 sample to share between train and validation; .* or give a validation part of your own"
    with pytest.raises(InvalidData, match=says):
        data.load(npz(tmp_path, train_x=x, train_y=once, test_x=x, test_y=once))


def test_parts_in_capitals_are_told_and_classes_in_capitals_are_classes(tmp_path: Path) -> None:
    for part in ("Train", "Test"):
        by_class(tmp_path / "parts" / part, series())
    with pytest.raises(InvalidData, match="it has the folder 'Test'; name it 'test', in lower case"):
        data.load(str(tmp_path / "parts"))
    assert data.load(by_class(tmp_path / "my", series(), names=("Bus", "Train"))).class_names == ("Bus", "Train")


# Files that change


def archive(path: Path, count: int) -> None:
    path.write_text("@data\n" + "".join(f"{i},2,3:{'ab'[i % 2]}\n" for i in range(count)))


def test_a_changed_test_file_beside_the_training_file_is_read_again(tmp_path: Path) -> None:
    archive(tmp_path / "C_TRAIN.ts", 20)
    for count in (4, 12):
        archive(tmp_path / "C_TEST.ts", count)
        assert len(data.load(str(tmp_path / "C_TRAIN.ts")).test_y) == count


def test_one_relative_path_in_two_folders_is_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = []
    for seed in range(2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        npz(folder, x=series(seed=seed), y=Y)
        os.utime(folder / "my.npz", ns=(0, 0))
        monkeypatch.chdir(folder)
        made = data.load("my.npz").preprocessing
        assert made is not None
        zeros.append(made.zero)
    assert zeros[0] != zeros[1]


def test_a_folder_of_too_many_files_is_not_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "MOST_FILES", 10)
    with pytest.raises(InvalidData, match="it has more than 10 files; name the folder of the samples alone"):
        data.load(by_class(tmp_path / "my", series()))
