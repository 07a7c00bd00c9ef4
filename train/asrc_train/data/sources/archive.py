"""Official archives: fetched on request, used only with the right checksum, unpacked without leaving their folder."""

from __future__ import annotations

import shutil
import tarfile
import urllib.request
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath

from asrc_core.counts import plural
from asrc_core.errors import UnreadableFile
from asrc_core.files.atomic import replacing
from asrc_core.files.data_folder import folder, make_folder, whole_folder
from asrc_core.files.digest import digest_of

CHUNK = 1 << 20
TIMEOUT = 60.0  # seconds without a byte
# What the readers raise for an archive that is broken, of a compression that zipfile does not know, or encrypted.
UNREADABLE = (EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class Archive:
    """A published file: where it belongs in the data folder, where it comes from, and what it has to be."""

    place: str
    """Relative to the data folder."""
    address: str
    page: str
    """The publisher's page, for people."""
    algorithm: str
    """Of the checksum that is known: md5 or sha256."""
    checksum: str
    limit: int
    """No more bytes than these are fetched, nor unpacked."""

    @property
    def path(self) -> Path:
        """Where it is, or has to be put."""
        return folder() / self.place


def fetch(archive: Archive) -> None:
    """Download an archive to its place, unless it is there and right.

    What has another checksum, or is larger than it may be, never gets there. Raises UnreadableFile, UnwritableOutput.
    """
    if archive.path.is_file() and _digest(archive.path, archive.algorithm) == archive.checksum:
        return
    make_folder(archive.path.parent)
    by_hand = f"fetch it by other means and put it at '{archive.path}'"
    with replacing(archive.path) as temporary:
        with temporary.open("wb") as file:
            for piece in _received(archive, f"check the connection, or {by_hand}"):
                file.write(piece)
        _require(archive, temporary, f"try again, or {by_hand}")


def verified(archive: Archive) -> Path | None:
    """The archive's path if it is in its place. Raises UnreadableFile if its checksum is not the published one."""
    if not archive.path.is_file():
        return None
    _require(archive, archive.path, "remove it and download it again")
    return archive.path


def missing(path: Path, name: str, archives: Iterable[Archive]) -> UnreadableFile:
    """The error for data that are not there, saying what to put where."""
    wanted = [each for each in archives if not each.path.is_file()]
    places = ", ".join(f"{each.address} as '{each.path}'" for each in wanted)
    pages = ", ".join(sorted({each.page for each in wanted}))
    way_out = (
        f"fetch it with `download` of asrc-train or asrc_train.data.download('{name}'), or name another folder with "
        f"`data_dir` or ASRC_DATA, or save {places} (published at {pages})"
    )
    return UnreadableFile(path, f"data set {name}", "it is not there", way_out)


def unpack_tar(archive: Archive, path: Path, into: Path, inside: str = "") -> None:
    """Unpack the regular files of a gzipped tar archive to a folder that does not exist yet.

    With ``inside`` only those of that folder of the archive, and without its name. Raises UnreadableFile for names
    that lead out of the folder, links, devices, and more bytes than the limit.
    """
    with whole_folder(into) as temporary, _broken(path), tarfile.open(path, "r:gz") as tar:
        left = archive.limit
        for member in tar:
            if member.isdir():
                continue
            name = PurePosixPath(member.name)
            if not member.isreg() or name.is_absolute() or ".." in name.parts:
                raise _refused(path, f"it holds '{member.name}', which is not a file inside its folder")
            if not name.is_relative_to(inside):
                continue
            left -= member.size
            if left < 0:
                raise _refused(path, f"it unpacks to more than {plural(archive.limit, 'byte')}")
            target = temporary / name.relative_to(inside)
            target.parent.mkdir(parents=True, exist_ok=True)
            source = tar.extractfile(member)
            assert source is not None
            with target.open("wb") as file:
                shutil.copyfileobj(source, file, CHUNK)


def unpack_zip(archive: Archive, path: Path, member: str, to: Path) -> None:
    """Unpack one file of a ZIP archive, whatever folder it is in there.

    Raises UnreadableFile if there is not just one of that name, or it has more bytes than the limit.
    """
    with replacing(to) as temporary, _broken(path), zipfile.ZipFile(path) as pack, temporary.open("wb") as file:
        found = [entry for entry in pack.infolist() if PurePosixPath(entry.filename).name == member]
        if len(found) != 1:
            raise _refused(path, f"it holds {plural(len(found), 'file')} named '{member}'")
        with pack.open(found[0]) as source:
            copied = 0
            while piece := source.read(CHUNK):
                copied += len(piece)
                if copied > archive.limit:
                    raise _refused(path, f"it unpacks to more than {plural(archive.limit, 'byte')}")
                file.write(piece)


def _received(archive: Archive, way_out: str) -> Iterator[bytes]:
    from asrc_core.command import progress

    taken = 0
    try:
        request = urllib.request.urlopen(archive.address, timeout=TIMEOUT)  # noqa: S310  an address of ours
        with request as answer:
            expected = int(answer.headers.get("Content-Length") or archive.limit)
            with progress.bar(f"fetching {archive.path.name}", expected) as update:
                while piece := answer.read(CHUNK):
                    taken += len(piece)
                    if taken > archive.limit:
                        raise UnreadableFile(
                            archive.address, "download", f"it exceeds {plural(archive.limit, 'byte')}", way_out
                        )
                    update(taken, "")
                    yield piece
    except (OSError, HTTPException, ValueError) as error:
        raise UnreadableFile(archive.address, "download", str(error) or type(error).__name__, way_out) from error


def _require(archive: Archive, path: Path, way_out: str) -> None:
    found = _digest(path, archive.algorithm)
    if found != archive.checksum:
        why = f"its {archive.algorithm} is {found} in place of {archive.checksum}, so it is incomplete or was changed"
        raise UnreadableFile(archive.path, "archive", why, way_out)


def _digest(path: Path, algorithm: str) -> str:
    try:
        return digest_of(path, algorithm)
    except OSError as error:
        raise UnreadableFile(path, "archive", error.strerror or str(error), "check its permissions") from error


def _refused(path: Path, why: str) -> UnreadableFile:
    return UnreadableFile(path, "archive", why, "remove it and download it again")


@contextmanager
def _broken(path: Path) -> Iterator[None]:
    """Errors of reading an archive become ours; those of writing, which the system numbers, go on."""
    try:
        yield
    except (*UNREADABLE, OSError) as error:
        if getattr(error, "errno", None) is not None:
            raise
        raise _refused(path, f"it is broken ({error})") from error
