"""An FPGA computes the contract's integers: `pytest hw_tests --fpga /dev/ttyUSB1 --network FILE --device ice40up5k`."""

from __future__ import annotations

import numpy as np
import pytest

from asrc_core.contract import interpreter
from asrc_core.contract.file import network_file
from asrc_core.errors import AsrcError
from asrc_export.chip import devices
from asrc_export.chip.devices.fpga import Fpga
from asrc_export.rtl.boards.serial_board import SerialBoard
from asrc_export.rtl.plan import plan
from asrc_export.rtl.synthesis.build import shape_for

SAMPLES = 5


def test_a_board_gives_the_logits_of_the_interpreter(request: pytest.FixtureRequest) -> None:
    port, path = request.config.getoption("--fpga"), request.config.getoption("--network")
    if port is None:
        pytest.skip("no FPGA asked for; give --fpga /dev/ttyUSB1 --network FILE.safetensors")
    if path is None:
        pytest.fail("give --network, the file whose circuit the board holds", pytrace=False)
    try:
        device = devices.load(request.config.getoption("--device"))
        if not isinstance(device, Fpga):
            pytest.fail(f"'{device.name}' is no FPGA; give --device ice40up5k, ecp5-25f or ecp5-85f", pytrace=False)
        network = network_file.load(path)
        entry = network.input
        shape = (SAMPLES, network.steps, entry.channels)
        x = np.random.default_rng(0).integers(entry.minimum, entry.maximum + 1, shape)
        board = SerialBoard(plan(network, shape_for(device)), port)
        try:
            logits = board.run(x)
        finally:
            board.close()
    except AsrcError as error:
        pytest.fail(str(error), pytrace=False)
    assert np.array_equal(logits, interpreter.run(network, x).logits)
