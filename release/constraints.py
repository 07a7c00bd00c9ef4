"""Write constraints.txt: the version of every package that an installation with all extras brings, and no host's name.

Two resolutions, as for Lava's sake Python 3.10 has one of its own: that of `uv lock` there, and one for all newer
versions of Python. Run it from anywhere: python release/constraints.py
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "constraints.txt"
QUIET = ("--quiet", "--no-header", "--no-annotate", "--all-extras")
LINE = re.compile(r"(?P<pin>[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.+!_-]*)(?: *; *(?P<marker>[^/@]+))?")
HEADER = """\
# What `pip install 'asrc-toolchain[all]' -c constraints.txt` installs. Written by release/constraints.py.
"""


def resolved(*command: str) -> list[tuple[str, str]]:
    """Pins and their markers, as uv resolves them; whatever is not NAME==VERSION stops the script."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "resolved.txt")
        subprocess.run(["uv", *command, *QUIET, "--output-file", str(out)], cwd=ROOT, check=True)  # noqa: S603, S607
        lines = out.read_text(encoding="utf-8").splitlines()
    found = []
    for line in filter(None, map(str.strip, lines)):
        match = LINE.fullmatch(line)
        if match is None:
            sys.exit(f"not a version of a package: {line}")
        found.append((match["pin"], match["marker"] or ""))
    return found


def main() -> None:
    """Resolve twice and write the file."""
    old = resolved("export", "--format", "requirements-txt", "--no-dev", "--no-hashes", "--no-emit-project")
    new = resolved(
        *("pip", "compile", "--no-config", "--universal", "--python-version", "3.11", "pyproject.toml"),
        *("--no-emit-package", "asrc-toolchain"),
    )
    lines = [f"{pin} ; {marker}" for pin, marker in old]
    later = "python_full_version >= '3.11'"
    lines += [f"{pin} ; {f'({marker}) and ' if marker else ''}{later}" for pin, marker in new]
    OUT.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{OUT.name}: {len(lines)} versions")


if __name__ == "__main__":
    main()
