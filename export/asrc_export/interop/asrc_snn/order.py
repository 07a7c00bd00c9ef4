"""The order in which pixels were fed: given, or drawn again as the authors' code draws it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.counts import plural
from asrc_core.errors import UnreadableFile
from asrc_core.files.numpy_file import read_npy
from asrc_export.interop.asrc_snn.arguments import Arguments


def order_of(arguments: Arguments, steps: int, given: str | Path | None, notes: list[str]) -> NDArray[np.int64] | None:
    """The order of a sample's steps: the file ``given``, what PSMNIST's would be, or None; told in ``notes``.

    Raises UnreadableFile.
    """
    if given is not None:
        order = _read_order(given, steps)
        notes.append(f"pixel permutation from '{Path(given).name}'")
        return order
    if arguments.task != "PSMNIST":
        return None
    order = replayed_permutation(arguments)
    notes.append(
        f"pixel permutation drawn again from seed {arguments.seed} as their main.py draws it (it is saved nowhere; "
        "give `permutation` if yours was another)"
    )
    return order


def _read_order(path: str | Path, steps: int) -> NDArray[np.int64]:
    kind, way_out = "permutation", "save the order of steps with numpy.save, integers from 0"

    def fits(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        if dtype.kind not in "iu" or shape != (steps,):
            raise UnreadableFile(path, kind, f"it is not {steps} integers", way_out)

    try:
        order = read_npy(Path(path), fits)
    except OSError as error:
        raise UnreadableFile(path, kind, error.strerror or str(error), way_out) from error
    except ValueError as error:
        raise UnreadableFile(path, kind, "it is not a .npy file of plain numbers", way_out) from error
    if not np.array_equal(np.sort(order), np.arange(steps)):
        raise UnreadableFile(path, kind, f"it is not an order of the {plural(steps, 'step')}", way_out)
    return order.astype(np.int64)


def replayed_permutation(arguments: Arguments) -> NDArray[np.int64]:
    """`torch.randperm` at the point where their main.py calls it: seed, build the model on the CPU, draw.

    What building draws is PyTorch's own initialisation: W and b of each Linear, U of each container, U again as
    orthogonal. Independent of thread count and device; equal across PyTorch versions as long as those draws are.
    """
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(arguments.seed)
        fan_in = arguments.input_dim
        for neurons in arguments.layers:
            nn.Linear(fan_in, neurons, bias=arguments.bias)
            nn.init.orthogonal_(nn.Linear(neurons, neurons, bias=False).weight)
            fan_in = neurons
        nn.Linear(fan_in, arguments.output_dim, bias=arguments.bias)
        return torch.randperm(arguments.time_window).numpy()
