"""How much memory this machine can still give."""

from __future__ import annotations

import re
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")


def available() -> int | None:
    """Bytes that can be had without swapping: `MemAvailable` of proc(5), or what the container's limit leaves if that
    is less (of cgroup v2, `memory.max` less `memory.current` without files that were read and are still kept,
    `inactive_file` of `memory.stat`). None where neither is told.
    """
    told = [each for each in (_of_machine(), _of_container()) if each is not None]
    return min(told, default=None)


def _of_machine() -> int | None:
    found = re.search(r"^MemAvailable:\s*(\d+) kB$", _text(MEMINFO), re.MULTILINE)
    return None if found is None else int(found[1]) * 1024


def _of_container() -> int | None:
    most, used = (_text(CGROUP / name).strip() for name in ("memory.max", "memory.current"))
    kept = re.search(r"^inactive_file (\d+)$", _text(CGROUP / "memory.stat"), re.MULTILINE)
    if not (most.isdecimal() and used.isdecimal()):
        return None
    return max(0, int(most) - int(used) + (0 if kept is None else int(kept[1])))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""
