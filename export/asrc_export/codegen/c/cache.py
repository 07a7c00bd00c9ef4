"""C text, compiled by the machine's compiler and loaded; what was compiled once is kept in a folder of the user's own.

An entry is a folder named by the hash of all that it is made of: the text, the flags, and what the compiler says of
itself and of this processor. It is put in place whole, so of several processes the first one wins. Loading code from a
folder is running it; so nobody else may be able to write there, nor to any folder above, and every entry carries a
seal, made with a key that only its owner can read: an entry that was changed, swapped or left half-written is compiled
again. Where the folder is not private, or takes nothing more, a temporary one takes its place.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import hmac
import os
import re
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path

from asrc_core.errors import InvalidSetting
from asrc_core.files.user_cache import expanded, user_cache
from asrc_core.native.build import CannotBuild, named_compiler
from asrc_core.native.build import compiler as cpp_compiler

LEVEL = "-O3"
FLAGS = ("-std=c99", LEVEL, "-fPIC", "-shared", "-fno-trapping-math")
"""Besides ``-march=native``, where the compiler knows it."""
OWN_FLAGS = "ASRC_CFLAGS"
"""An environment variable with further flags. Not CFLAGS, which some environments set for what they were built for."""
KEY_BYTES = 32
KEPT_BYTES = 2**30
"""What all entries together may take; those used longest ago go first."""
ROOM = 2**22
"""Bytes that have to be free before a compiler is started, which does not say what it lacked."""
ABANDONED_S = 3600
"""A folder that was being made so long ago was left behind by a process that was ended."""

_LIBRARY, _SEAL, _TEXT, _KEY = "library", "seal", "text.c", "key"
_BUILDING = ".building-"
_OURS = re.compile(rf"[0-9a-f]{{64}}|{re.escape(_BUILDING)}.*")
"""Names of what is made here: whatever else lies in the folder that a user named is theirs."""
VARIABLE = "ASRC_CACHE"


def libraries(texts: Sequence[str]) -> list[ctypes.CDLL]:
    """The compiled texts, loaded; those not compiled yet are compiled at the same time. Raises CannotBuild."""
    unique = list(dict.fromkeys(texts))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        loaded = dict(zip(unique, pool.map(library, unique), strict=True))
    return [loaded[text] for text in texts]


@cache
def library(text: str, level: str = LEVEL) -> ctypes.CDLL:
    """A text compiled at a level of optimization, loaded once in a process. Its calls release the GIL.

    Raises CannotBuild.
    """
    path = compiled(text, level)
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise CannotBuild(f"what was compiled does not load ({error})") from error


def compiled(text: str, level: str = LEVEL) -> Path:
    """Where the text's library lies, compiled if it does not lie there untouched. Raises CannotBuild."""
    command, about = compiler(level)
    name = hashlib.sha256("\0".join([*command, about, text]).encode()).hexdigest()
    folder = private_folder()
    try:
        return _kept(folder / name, command, text)
    except OSError as error:
        why = f"'{folder}' cannot be written to ({error.strerror})"
    try:
        return _kept(_temporary(why) / name, command, text)
    except OSError as error:
        raise CannotBuild(f"{why}, nor can the temporary folder ({error.strerror})") from error


def _kept(entry: Path, command: list[str], text: str) -> Path:
    """The library of an entry, which is made unless it lies there untouched. Raises OSError, CannotBuild."""
    key = _key(entry.parent)
    if not _is_sealed(entry, key):
        _tidy(entry.parent)
        if shutil.disk_usage(entry.parent).free < ROOM + len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        _make(entry, command, text, key)
    with suppress(OSError):  # a folder that may only be read
        os.utime(entry)
    return entry / _LIBRARY


@cache
def compiler(level: str = LEVEL) -> tuple[list[str], str]:
    """The command that compiles C for this processor, and what it says of itself and of the processor.

    That of $CC, or the first of cc, gcc and clang that is installed, else the C++ compiler; the flags of $ASRC_CFLAGS
    come last, so they hold where two disagree. Raises CannotBuild.
    """
    chosen = named_compiler("CC")
    found = next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)
    command = chosen or ([found] if found else cpp_compiler())
    command += [level if each == LEVEL else each for each in FLAGS]
    last = named_compiler(OWN_FLAGS)
    try:
        return _described([*command, "-march=native", *last])
    except CannotBuild:
        return _described([*command, *last])


def _described(command: list[str]) -> tuple[list[str], str]:
    """The command, and every macro that it defines: its version, and all instruction sets that it compiles for."""
    return command, _output([*command, "-x", "c", "-E", "-dM", os.devnull])


# --------------------------------------------------------------------------------------------------- a private folder


def chosen_folder() -> Path:
    """$ASRC_CACHE, or else compiled in the user's cache. Raises InvalidSetting for a user without a home."""
    named = os.environ.get(VARIABLE)
    above, name = os.path.split(os.path.abspath(expanded(VARIABLE, named) if named else user_cache() / "compiled"))
    return Path(os.path.realpath(above), name)  # so that no link on the way there can be turned elsewhere


def private_folder() -> Path:
    """The chosen folder, made if it is not there; if others could write to it, a temporary one, and a line says so."""
    try:
        folder = chosen_folder()
    except InvalidSetting as error:
        return _temporary(str(error).rstrip("."))
    why = _made_private(folder)
    return folder if why is None else _temporary(why)


@cache
def _temporary(why: str) -> Path:
    print(f"asrc: {why}; what is compiled is kept for this process only.", file=sys.stderr)
    made = tempfile.TemporaryDirectory(prefix="asrc-")
    _KEPT.append(made)
    return Path(made.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []
"""Removed when the process ends."""


def _made_private(folder: Path) -> str | None:
    """Make the folder, unless it is there; why it is not private, or None."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        why = why_not_private(folder)
        return why or next((found for above in folder.parents if (found := _why_not_trusted(above))), None)
    except OSError as error:
        return f"the folder '{folder}' for compiled networks cannot be made ({error.strerror})"


def why_not_private(path: Path) -> str | None:
    """Why a folder is not the user's alone, as a clause; None if it is. Raises OSError if it is not there."""
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        return f"'{path}' is a link or a file, and no folder for compiled networks"
    if found.st_uid != os.geteuid():
        return f"the folder '{path}' for compiled networks belongs to somebody else"
    if found.st_mode & 0o077:
        return f"the folder '{path}' for compiled networks is open to others (chmod 700 closes it)"
    return None


def _why_not_trusted(above: Path) -> str | None:
    """Whether others could put another folder in the place of one inside; a sticky folder keeps them from that.

    Whoever owns the root folder owns the machine: that is not always user 0, as seen from a container.
    """
    found = os.stat(above)
    theirs = found.st_uid not in (0, os.geteuid(), os.stat("/").st_uid)
    if theirs or (found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX):
        return f"others can write to '{above}', above the folder for compiled networks"
    return None


# ------------------------------------------------------------------------------------------------------------ entries


def _key(folder: Path) -> bytes:
    """The folder's key, made if there is none that only its owner can read: then all entries are compiled again."""
    path = folder / _KEY
    found = _own_file(path, 0o077)
    if found is not None and len(found) == KEY_BYTES:
        return found
    with tempfile.TemporaryDirectory(dir=folder, prefix=_BUILDING) as building:
        new = Path(building, _KEY)
        _write(new, secrets.token_bytes(KEY_BYTES))
        if found is not None or path.is_symlink() or path.exists():
            os.replace(new, path)
        else:
            with suppress(FileExistsError):  # another process was first
                os.link(new, path)
    return _own_file(path, 0o077) or secrets.token_bytes(KEY_BYTES)


def _is_sealed(entry: Path, key: bytes) -> bool:
    """Whether the entry is as it was when it was compiled here."""
    try:
        if why_not_private(entry) is not None:
            return False
    except OSError:
        return False
    library, seal = _own_file(entry / _LIBRARY, 0o022), _own_file(entry / _SEAL, 0o022)
    return library is not None and seal is not None and hmac.compare_digest(_seal_of(entry.name, library, key), seal)


def _seal_of(name: str, library: bytes, key: bytes) -> bytes:
    return hmac.new(key, name.encode() + b"\0" + library, hashlib.sha256).digest()


def _own_file(path: Path, others: int) -> bytes | None:
    """A file's bytes if it is the user's own, no link, and has none of the permissions ``others``; else None."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        mine = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & others
        return file.read() if mine else None


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _tidy(folder: Path) -> None:
    """Remove what was left half made, and the entries used longest ago, until there is room for another."""
    with suppress(OSError):
        entries = sorted(
            ((each.stat().st_mtime, each) for each in folder.iterdir() if _OURS.fullmatch(each.name)), reverse=True
        )
        left = KEPT_BYTES
        for used, each in entries:
            left -= sum(file.stat().st_size for file in each.iterdir() if file.is_file())
            half_made = each.name.startswith(_BUILDING)
            if (left < 0 and not half_made) or (half_made and time.time() - used > ABANDONED_S):
                shutil.rmtree(each, ignore_errors=True)


def _make(entry: Path, command: list[str], text: str, key: bytes) -> None:
    with tempfile.TemporaryDirectory(dir=entry.parent, prefix=_BUILDING) as building:
        made = Path(building, entry.name)
        made.mkdir()
        _compile(command, text, made)
        _write(made / _SEAL, _seal_of(entry.name, (made / _LIBRARY).read_bytes(), key))
        _put(made, entry, key)


def _put(made: Path, entry: Path, key: bytes) -> None:
    """Move a whole entry to its place. A sound one that came first stays; one that is not goes."""
    made.chmod(0o700)
    for _ in range(3):
        try:
            os.rename(made, entry)
            return
        except OSError:
            if _is_sealed(entry, key):
                return
            if entry.is_symlink() or not entry.is_dir():
                entry.unlink(missing_ok=True)
            else:
                shutil.rmtree(entry, ignore_errors=True)
    raise CannotBuild(f"'{entry}' cannot be replaced")


def _compile(command: list[str], text: str, folder: Path) -> None:
    """From standard input: no name of a file gets into the library."""
    _write(folder / _TEXT, text.encode())
    _output([*command, "-x", "c", "-", "-o", str(folder / _LIBRARY)], text)
    (folder / _LIBRARY).chmod(0o700)


def _output(command: list[str], given: str = "") -> str:
    try:
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)  # noqa: S603 the user's compiler
    except OSError as error:
        raise CannotBuild(f"'{command[0]}' does not start ({error.strerror})") from error
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if "error" in line), f"status {done.returncode}")
        raise CannotBuild(f"'{command[0]}' failed: {first}")
    return done.stdout
