"""Arrays of strangers: what is read is what was checked, and what is not whole is said in a sentence."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asrc_core.files import numpy_file
from asrc_core.files.numpy_file import read_npy, read_npz


def npy(array: Any, shape: str | None = None) -> bytes:
    """The bytes of a .npy file, its shape said to be another one."""
    file = io.BytesIO()
    np.save(file, array)
    told = file.getvalue()
    if shape is None:
        return told
    before = f"'shape': {np.asarray(array).shape}"
    return told.replace(before.encode(), f"'shape': {shape}".encode().ljust(len(before)))


def archive(path: Path, members: dict[str, bytes], **how: Any) -> Path:
    with zipfile.ZipFile(path, "w", **how) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_arrays_come_back_as_they_were_saved(tmp_path: Path) -> None:
    x, y = np.arange(6, dtype=np.int16).reshape(2, 3), np.array(["a", "b"])
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", x=x, y=y)  # type: ignore[operator]
        found = read_npz(tmp_path / "a.npz")
        assert list(found) == ["x", "y"]
        np.testing.assert_array_equal(found["x"], x)
        np.testing.assert_array_equal(found["y"], y)
        assert list(read_npz(tmp_path / "a.npz", {"y", "z"})) == ["y"]
    np.save(tmp_path / "x.npy", np.asfortranarray(x))
    np.testing.assert_array_equal(read_npy(tmp_path / "x.npy"), x)


def test_the_array_that_was_checked_is_the_one_that_is_read(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz", {"x.npy": npy(np.arange(3)), "x": npy(np.arange(9)), "note.txt": b"hello"})
    seen: list[tuple[int, ...]] = []
    found = read_npz(path, check=lambda name, shape, dtype: seen.append(shape))
    assert list(found) == ["x"]
    assert found["x"].shape == seen[0] == (3,)


@pytest.mark.parametrize("shape", ["(-1,)", "(True,)", "(0, 99999999999999999999)", "(2, -3)"])
def test_a_shape_that_is_none_is_refused(shape: str, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(npy(np.zeros((2, 3, 4, 5, 6, 7, 8)), shape))
    with pytest.raises(ValueError, match="its shape is"):
        read_npy(path)
    with pytest.raises(ValueError, match="its shape is"):
        read_npz(archive(tmp_path / "x.npz", {"x.npy": path.read_bytes()}))


@pytest.mark.parametrize("shape", ["'x'", "[[[[", "(2,"])
def test_a_header_that_is_none_is_refused(shape: str, tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(npy(np.zeros((2, 3, 4)), shape))
    with pytest.raises(ValueError, match=r"header|shape|not a whole"):
        read_npy(tmp_path / "x.npy")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_with_any_byte_damaged_is_read_or_refused(method: int, tmp_path: Path) -> None:
    whole = archive(tmp_path / "a.npz", {"x.npy": npy(np.arange(40))}, compression=method).read_bytes()
    refused = 0
    for place in range(0, len(whole), 3):
        (tmp_path / "b.npz").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read_npz(tmp_path / "b.npz")
        except (ValueError, OSError):  # both are told in a sentence
            refused += 1
    assert refused > len(whole) // 9


def test_sizes_are_added_up_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(60), y=np.zeros(60))
    monkeypatch.setattr(numpy_file, "MAX_BYTES", 700)
    with pytest.raises(ValueError, match="its arrays take 960 bytes, more than 700"):
        read_npz(tmp_path / "a.npz")
    assert list(read_npz(tmp_path / "a.npz", {"x"})) == ["x"]


def test_two_arrays_of_one_name_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("x.npy", npy(np.arange(3)))
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("x.npy", npy(np.arange(4)))
    with pytest.raises(ValueError, match="two arrays of one name"):
        read_npz(tmp_path / "a.npz")
