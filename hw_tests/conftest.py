"""A board is asked for by name: `pytest hw_tests --board loihi2`."""

from __future__ import annotations

import pytest

from asrc_core.errors import AsrcError
from asrc_lava.boards import board as boards


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--board", choices=boards.NAMES, help="run on such a board, reached as docs/hardware.md says")
    parser.addoption("--fpga", metavar="LINE", help="run on the FPGA board at this serial line")
    parser.addoption("--network", metavar="FILE", help="the network whose circuit it holds")
    parser.addoption("--device", metavar="NAME", default="ice40up5k", help="the FPGA (default: ice40up5k)")


@pytest.fixture
def board(request: pytest.FixtureRequest) -> str:
    """The board's name. Skips if none is asked for; fails, saying what is missing, if one is and cannot be reached."""
    name = request.config.getoption("--board")
    if name is None:
        pytest.skip("no board asked for; give --board loihi2")
    try:
        boards.require(name)
    except AsrcError as error:
        pytest.fail(str(error), pytrace=False)
    return str(name)
