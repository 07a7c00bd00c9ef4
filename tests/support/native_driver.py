"""The C++ driver of the native engine: networks out to it, results back, so that no Python is in its process."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.chain import chain
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import LayerCounts, LayerTrace, Result, Trace
from asrc_core.native import build as native_build
from asrc_export.engines.native import build

SOURCE = Path(__file__).with_suffix(".cpp")

Case = tuple[IntegerNetwork, NDArray[np.int32]]


def compile_driver(folder: Path, flags: Sequence[str] = (), machine: str = "") -> Path:
    """The driver and its library, built in ``folder`` with $CXX and further flags."""
    library = build.build(folder / "libasrc_engine.so", ("-O1", *flags), machine)
    command = native_build.compiler()
    driver = folder / "native_driver"
    linked = (SOURCE, library, "-Wl,-rpath,$ORIGIN", "-pthread", "-o", driver)
    subprocess.run([*command, "-std=c++17", "-O1", *flags, f"-I{build.LIBRARY.folder}", *linked], check=True)
    return driver


def run(
    driver: Path, cases: Sequence[Case], isa: str, *, emulator: Sequence[str] = (), env: Mapping[str, str] | None = None
) -> list[Result]:
    """The driver's results; it has checked by itself that streams and runs without a trace give the same."""
    given, returned = driver.with_suffix(".cases"), driver.with_suffix(".results")
    np.concatenate([[len(cases)], *(_numbers(*case) for case in cases)]).astype(np.int64).tofile(given)
    done = subprocess.run(
        [*emulator, driver, given, returned, isa], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rest = np.fromfile(returned, np.int64)
    results = []
    for network, x in cases:
        result, rest = _result(network, x.shape[0], x.shape[1], rest)
        results.append(result)
    assert rest.size == 0
    return results


def _numbers(network: IntegerNetwork, x: NDArray[np.int32]) -> NDArray[np.int64]:
    """All that the driver reads of a case, in its order."""
    entry, made = network.input, chain(network)
    end = made.readout
    parts: list[Any] = [[entry.channels, entry.minimum, entry.maximum, len(made.layers)]]
    for layer, ranges in zip(made.layers, network.ranges, strict=False):
        parts.append([layer.neurons, layer.inputs, layer.feedforward_exponent, layer.recurrent_exponent, layer.decay])
        parts.append([layer.threshold, layer.span, layer.activation_shift, layer.reset == "soft"])
        parts.append([layer.fires == "above", not ranges.state.fits_state, len(layer.taps)])
        parts += [layer.feedforward, layer.recurrent, layer.bias, np.array(layer.taps)]
    parts += [[end.classes, end.inputs, end.exponent], end.weight, end.bias, x.shape[:2], x]
    return np.concatenate([np.ravel(part).astype(np.int64) for part in parts])


def _result(
    network: IntegerNetwork, batch: int, steps: int, numbers: NDArray[np.int64]
) -> tuple[Result, NDArray[np.int64]]:
    def take(*shape: int) -> NDArray[np.int64]:
        nonlocal numbers
        size = int(np.prod(shape))
        taken, numbers = numbers[:size].reshape(shape), numbers[size:]
        return taken

    sizes = [layer.neurons for layer in network.layers]
    logits = take(batch, network.classes)
    counts = tuple(
        LayerCounts(int(spikes), int(inputs) * n, int(delivered) * n, batch * steps * n, int(saturations))
        for n, (inputs, delivered, spikes, saturations) in zip(sizes, take(len(sizes), 4), strict=True)
    )
    layers = tuple(
        LayerTrace(take(steps, batch, n).astype(np.uint8), take(steps, batch, n).astype(np.int32)) for n in sizes[:-1]
    )
    return Result(logits, counts, Trace(layers, take(steps, batch, sizes[-1]).astype(np.int32))), numbers
