"""How much memory this machine can still give, on Linux."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

MEMINFO = Path("/proc/meminfo")
OWN_GROUPS = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")


def available() -> int | None:
    """Bytes that can be had without swapping; None where the system does not tell.

    The least of what proc(5) calls `MemAvailable` and of what the limits of this process's control groups leave, a
    container's among them (cgroups(7), versions 1 and 2); files that were read and are still kept count as free.
    """
    found = _number(MEMINFO, r"^MemAvailable:\s*(\d+) kB$")
    machine = [] if found is None else [found * 1024]
    return min([*machine, *_left_by_groups()], default=None)


def _left_by_groups() -> Iterator[int]:
    for line in _text(OWN_GROUPS).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from _left_by(GROUPS, path, ("memory.max", "memory.current", "inactive_file"))
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _left_by(GROUPS / "memory", path, names)


def _left_by(root: Path, path: str, names: tuple[str, str, str]) -> Iterator[int]:
    """What a group and those that it lies in leave; in a container, its own one is the root."""
    most_in, used_in, kept_as = names
    group = PurePosixPath(path.lstrip("/"))
    for folder in (root / group, *(root / each for each in group.parents)):
        most, used = _number(folder / most_in, r"^(\d+)$"), _number(folder / used_in, r"^(\d+)$")
        if most is not None and used is not None:
            yield max(0, most - used + (_number(folder / "memory.stat", rf"^{kept_as} (\d+)$") or 0))


def _number(file: Path, pattern: str) -> int | None:
    found = re.search(pattern, _text(file), re.MULTILINE)
    return None if found is None else int(found[1])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
