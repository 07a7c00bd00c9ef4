"""A board is asked for by name: `pytest hw_tests --board loihi2`, or `--board mcu`."""

from __future__ import annotations

import pytest

from asrc_core.errors import AsrcError
from asrc_export.emulation import board as serial
from asrc_lava.boards import board as boards


def pytest_addoption(parser: pytest.Parser) -> None:
    names = (*boards.NAMES, serial.NAME)
    parser.addoption("--board", choices=names, help="run on such a board, reached as its page in docs/ says")
    parser.addoption("--fpga", metavar="LINE", help="run on the FPGA board at this serial line")
    parser.addoption("--network", metavar="FILE", help="the network whose circuit it holds")
    parser.addoption("--device", metavar="NAME", default="ice40up5k", help="the FPGA (default: ice40up5k)")


@pytest.fixture
def board(request: pytest.FixtureRequest) -> str:
    """The board's name. Skips if none is asked for; fails, saying what is missing, if one is and cannot be reached."""
    name = request.config.getoption("--board")
    if name not in boards.NAMES:
        pytest.skip("no Loihi board asked for; give --board loihi2")
    try:
        boards.require(name)
    except AsrcError as error:
        pytest.fail(str(error), pytrace=False)
    return str(name)


@pytest.fixture
def microcontroller(request: pytest.FixtureRequest) -> serial.Access:
    """The access to a board at a serial port; as `board`."""
    if request.config.getoption("--board") != serial.NAME:
        pytest.skip("no microcontroller asked for; give --board mcu")
    try:
        return serial.require()
    except AsrcError as error:
        pytest.fail(str(error), pytrace=False)
