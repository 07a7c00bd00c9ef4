"""WAV files, and spoken digits as mel features normalised by what the training split has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import put_wav, real_digits, word

from asrc_core import preprocessing
from asrc_core.errors import InvalidData, UnreadableFile
from asrc_train import data
from asrc_train.data import fsdd, fsdd_speakers
from asrc_train.data.sources import speech, spoken_digits, wav
from asrc_train.data.sources.spoken_digits import FRONT_END, SPEAKERS, Recording


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with twelve recordings of each digit, two of each speaker."""
    monkeypatch.setenv("ASRC_DATA", str(tmp_path / "data"))
    for digit in range(10):
        for i, speaker in enumerate(SPEAKERS):
            for index in (1, 7, 11):
                sound = word(200 + 150 * digit, seed=100 * digit + 10 * i + index, seconds=0.1)
                put_wav(tmp_path / "data" / spoken_digits.HOME / f"{digit}_{speaker}_{index}.wav", sound)
    return tmp_path / "data"


def test_the_recordings_own_split_is_by_index(home: Path) -> None:
    loaded = data.load("fsdd")
    assert {split: x.shape for split, (x, _) in loaded.parts().items()} == {
        "train": (60, 80, 40),
        "test": (60, 80, 40),
        "validation": (60, 80, 40),
    }
    assert loaded.class_names == tuple("0123456789")
    assert [fsdd.split_of(Recording(home, 0, "theo", i)) for i in (0, 4, 5, 9, 10, 49)] == [
        *("test", "test", "validation", "validation"),
        *("train", "train"),
    ]


def test_speakers_of_the_test_are_never_heard_in_training(home: Path) -> None:
    loaded = data.load("fsdd-speakers")
    assert {split: len(y) for split, (_, y) in loaded.parts().items()} == {"train": 90, "test": 60, "validation": 30}
    heard = {who: fsdd_speakers.split_of(Recording(home, 0, who, 20)) for who in SPEAKERS}
    assert [who for who, split in heard.items() if split == "test"] == ["theo", "yweweler"]
    assert [who for who, split in heard.items() if split == "validation"] == ["nicolas"]


def test_each_band_is_normalised_by_the_training_split_alone(home: Path) -> None:
    loaded = data.load("fsdd")
    real = (loaded.train_x.astype(float) - loaded.shape.zero) * loaded.scale
    np.testing.assert_allclose(real.mean((0, 1)), 0, atol=0.02)
    np.testing.assert_allclose(real.std((0, 1)), 1, atol=0.02)
    before = loaded.preprocessing
    for path in (home / spoken_digits.HOME).glob("*_1.wav"):  # of the test split: louder noise changes nothing learned
        put_wav(path, word(3000, seed=1, seconds=0.1))
    assert data.load("fsdd").preprocessing == before
    for path in (home / spoken_digits.HOME).glob("*_11.wav"):
        put_wav(path, word(3000, seed=1, seconds=0.1))
    assert data.load("fsdd").preprocessing != before


def test_what_is_stored_makes_the_same_integers_of_a_recording(home: Path) -> None:
    loaded = data.load("fsdd")
    stated = preprocessing.stated(loaded.preprocessing, loaded.class_names)
    read = preprocessing.of(stated)
    assert read == loaded.preprocessing
    assert read is not None
    assert read.front_end == FRONT_END
    first = sorted((home / spoken_digits.HOME).glob("*_1.wav"))[0]
    x, _ = read.integers(speech.decibels(wav.read(first, FRONT_END.rate), FRONT_END))
    assert any(np.array_equal(x, each) for each in loaded.test_x)


def test_features_are_those_of_librosa_with_the_floor_after_the_end() -> None:
    import librosa

    sound = word(440, seed=1, seconds=0.3)
    mel = librosa.feature.melspectrogram(
        y=sound / np.float32(32768), sr=8000, n_fft=240, hop_length=80, power=1.0, n_mels=40, fmin=40, fmax=4000
    )
    found = speech.decibels(sound, FRONT_END)
    steps = speech.lasts(sound, FRONT_END)
    assert steps == mel.shape[1] == 31
    np.testing.assert_allclose(found[:steps], librosa.power_to_db(mel, ref=np.max).T, atol=1e-5)
    assert (found[steps:] == -80).all()


def test_features_are_what_the_page_on_microphones_says() -> None:
    import librosa

    sound = word(440, seed=1, seconds=0.3)
    heard = np.pad(sound / 2**15, 120)
    hann = np.sin(np.pi * np.arange(240) / 240) ** 2
    windows = np.stack([hann * heard[80 * t : 80 * t + 240] for t in range(speech.lasts(sound, FRONT_END))])
    bands = librosa.filters.mel(sr=8000, n_fft=240, n_mels=40, fmin=40, fmax=4000)
    m = np.abs(np.fft.rfft(windows)) @ bands.T
    expected = np.maximum(10 * np.log10(np.maximum(m, 1e-30) / m.max()), -80)
    np.testing.assert_allclose(speech.decibels(sound, FRONT_END)[: len(m)], expected, atol=1e-3)


def test_a_recording_of_another_name_an_empty_folder_and_a_digit_nobody_says_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASRC_DATA", str(tmp_path))
    with pytest.raises(UnreadableFile, match=r"it is not there; put the folder 'recordings' of https"):
        data.load("fsdd")
    (tmp_path / spoken_digits.HOME).mkdir(parents=True)
    with pytest.raises(UnreadableFile, match="it is empty"):
        data.load("fsdd")
    put_wav(tmp_path / spoken_digits.HOME / "3_theo_0.wav", word(440, 1))
    with pytest.raises(InvalidData, match="its train split has no recording of '0'"):
        data.load("fsdd")
    put_wav(tmp_path / spoken_digits.HOME / "hello.wav", word(440, 1))
    with pytest.raises(InvalidData, match=r"'hello.wav' is not named DIGIT_SPEAKER_INDEX.wav"):
        data.load("fsdd")


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"rate": 16_000}, r"at 16,000 Hz in place of 1, 16, 8,000; convert it, .* -ar 8000"),
        ({"channels": 2}, r"2 channels of 16 bits"),
        ({"width": 1}, "of 8 bits"),
    ],
)
def test_a_recording_of_another_format_is_refused_with_how_to_convert_it(
    tmp_path: Path, form: dict[str, int], says: str
) -> None:
    with pytest.raises(UnreadableFile, match=says):
        wav.read(put_wav(tmp_path / "x.wav", word(440, 1), **form), 8000)


def test_a_folder_and_a_file_that_is_not_there_are_no_recordings(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="it is no file"):
        wav.read(tmp_path, 8000)
    with pytest.raises(UnreadableFile, match="it is not there"):
        wav.read(tmp_path / "x.wav", 8000)


@given(data=st.data())
def test_whatever_a_header_says_a_recording_is_read_or_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    content = bytearray(put_wav(folder / "x.wav", word(440, 1, seconds=0.01)).read_bytes())
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, 51), st.integers(0, 255)), min_size=1, max_size=4)):
        content[at] = value
    path = folder / "y.wav"
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    try:
        sound = wav.read(path, 8000)
    except UnreadableFile:
        return
    assert sound.dtype == np.int16
    assert 1 <= len(sound) <= path.stat().st_size


@pytest.mark.slow
def test_the_real_recordings_have_fifty_of_each_digit_and_speaker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = real_digits()
    if there is None:
        pytest.skip("the Free Spoken Digit Dataset is neither in ../shared/data nor in ASRC_DATA")
    (tmp_path / "fsdd").symlink_to(there)
    monkeypatch.setenv("ASRC_DATA", str(tmp_path))
    loaded = data.load("fsdd")
    assert {split: np.bincount(y).tolist() for split, (_, y) in loaded.parts().items()} == {
        "train": [240] * 10,
        "validation": [30] * 10,
        "test": [30] * 10,
    }
    assert loaded.notes[0].startswith("fsdd: 61 of 3,000 recordings are longer than 0.8 s")
