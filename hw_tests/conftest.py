"""A board is asked for by name: `pytest hw_tests --board NAME`."""

from __future__ import annotations

import pytest

from asrc_lava import sdk


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--board", metavar="NAME", help="SLURM name of the Loihi 2 board to test on")


@pytest.fixture
def board(request: pytest.FixtureRequest) -> str:
    """The board's name. Skips if none is asked for; fails, saying what is missing, if one is and cannot be reached."""
    name = request.config.getoption("--board")
    if name is None:
        pytest.skip("no board asked for; give --board NAME")
    why = sdk.why_no_board()
    if why is not None:
        pytest.fail(f"board '{name}' was asked for and cannot be reached: {why}", pytrace=False)
    return str(name)
