"""How far back in time the gradient of a recurrent layer reaches (the paper's section 3.2).

Each layer by itself, fed with the currents that it gets in the network. With the spikes s[T] of the last step T and
the membrane u[T-d] before reset, d steps earlier,

    G(d) = sqrt( mean over samples of ||ds[T] / du[T-d]||_F^2 / N )

in which ds/du is the surrogate's derivative, the same one that training follows, and all paths between the two steps
count: through the membrane's decay, the reset, the recurrence. A current I[T-d] adds to u[T-d] and to nothing else,
so the derivative is that with respect to the current, which the kernels give (neurons of which that is not so are
refused). The Frobenius norm is estimated without bias by one random vector of signs for each sample:
E ||r^T J||^2 = ||J||_F^2.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from asrc_core.errors import InvalidSetting
from asrc_train.analysis import band, label
from asrc_train.analysis.analysis import Analysis
from asrc_train.analysis.figure import COLOURS, legend, log_axis, panels
from asrc_train.data.dataset import permuted, training_parts
from asrc_train.network import neurons
from asrc_train.network.float_network import FloatNetwork
from asrc_train.network.model import SkipRecurrentLayer, SkipRecurrentNetwork
from asrc_train.network.skips import beside
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.training.continuation import with_samples
from asrc_train.training.evaluate import fed
from asrc_train.training.fit import fresh

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STATES = ("at the start", "trained")
FAINT = 0.01
"""Of the norm at distance 0: below this, a gradient counts as gone."""
LOWEST = 1e-8
"""Of the norm at distance 0: where the figure ends."""


class Norms(NamedTuple):
    """G(d), d = 0..T-1, of one layer of a checkpoint in one of `STATES`."""

    name: str
    state: str
    layer: int
    norms: NDArray[np.float64]

    @property
    def reach(self) -> int:
        """The greatest distance at which the norm is at least `FAINT` of that at distance 0."""
        return int(np.flatnonzero(self.norms >= FAINT * self.norms[0])[-1])


def layer_norms(layer: SkipRecurrentLayer, x: Tensor, temperature: float | None, seed: int = 0) -> NDArray[np.float64]:
    """G(d), d = 0..T-1, of a layer that is fed x (T, B, I); the mixture at a temperature, hard-max spans without."""
    current = layer.feedforward(x)
    if layer.normalization is not None:
        current = layer.normalization(current)
    current = current.detach().requires_grad_()
    last = _fed_with_its_current(layer)(current, temperature)[-1]
    draw = torch.Generator().manual_seed(seed)
    signs = torch.randint(0, 2, last.shape, generator=draw).to(last) * 2 - 1
    (gradient,) = torch.autograd.grad((last * signs).sum(), current)
    squares = gradient.double().square().sum(2).mean(1) / last.shape[1]
    norms: NDArray[np.float64] = squares.sqrt().flip(0).numpy()
    return norms


def network_norms(network: FloatNetwork, x: Tensor, temperature: float | None) -> list[NDArray[np.float64]]:
    """G(d) of every layer of a network fed x (T, B, I), as evaluation does.

    Raises InvalidSetting for networks with delays, for layers without a recurrent connection, and for neurons that
    do not simply add a current to their membrane.
    """
    found: list[NDArray[np.float64]] = []
    sent: list[Tensor] = []
    network.eval()
    if not isinstance(network, SkipRecurrentNetwork):
        raise InvalidSetting("gradients", "those of a network with delays live on events, not on steps")
    for i, layer in enumerate(network.layers):
        if not isinstance(layer, SkipRecurrentLayer):
            why = "state-space neurons, which run over all steps at once and have no recurrent connection"
            raise InvalidSetting("gradients", f"layer {i} is of {why}; take networks with one")
        indirect = getattr(neurons.module(network.config.each_layer()[i].neuron), "INDIRECT", None)
        if indirect is not None:
            why = f"the neurons of layer {i} {indirect}, so that what a current does is not what its membrane does"
            raise InvalidSetting("gradients", f"{why}; they are taken of neurons that add the one to the other")
        heard = beside(network.config.skips, x, sent)
        found.append(layer_norms(layer, heard, temperature))
        with torch.no_grad():
            sent.append(layer(heard, temperature))
    return found


def of_checkpoint(name: str, trained: Checkpoint, samples: int, data_name: str | None = None) -> Iterator[Norms]:
    """The norms before the first and after the best epoch, with the mixture of that time, on validation samples.

    Raises what `continuation.with_samples` does.
    """
    trained, dataset = with_samples(trained, data_name)
    _, (held, _) = training_parts(dataset, trained.config.data.validation_fraction)
    x = fed(permuted(held[:samples], trained.permutation), dataset.scale)
    torch.manual_seed(trained.config.training.seed)
    untrained = fresh(dataset, trained.config)
    start = trained.config.training.temperature
    for state, network, tau in zip(STATES, (untrained, trained.network()), (start, trained.temperature), strict=True):
        for layer, norms in enumerate(network_norms(network, x, tau)):
            yield Norms(name, state, layer, norms)


def gradients(trained: Mapping[str, Checkpoint], samples: int = 128, data_name: str | None = None) -> Analysis:
    """G(d) relative to G(0) for every layer of the checkpoints by name, before and after training.

    Runs that differ in nothing but their seed are drawn as their mean with a band from least to greatest.
    ``data_name``: where samples of one's own, which the checkpoints were trained on, lie by now.
    Raises UnknownName for a data set that is not known here, InvalidData for other samples than those trained on,
    InvalidSetting for a ``data_name`` beside a published data set.
    """
    found = [norms for name, each in trained.items() for norms in of_checkpoint(name, each, samples, data_name)]
    rows: list[dict[str, Any]] = [
        {"name": each.name, "state": each.state, "layer": each.layer, "distance": d, "norm": float(norm)}
        for each in found
        for d, norm in enumerate(each.norms)
    ]
    return Analysis(rows, lambda: _figure(trained, found), _reaches(found))


def _fed_with_its_current(layer: SkipRecurrentLayer) -> SkipRecurrentLayer:
    """The layer with its feed-forward connection taken away: its input (T, B, N) is the current itself."""
    bare = copy.deepcopy(layer)
    neurons = bare.feedforward.out_features
    like = layer.feedforward.weight
    bare.feedforward = nn.Linear(neurons, neurons, dtype=like.dtype, device=like.device)
    bare.normalization = None
    nn.init.eye_(bare.feedforward.weight)
    nn.init.zeros_(bare.feedforward.bias)
    return bare


def _reaches(found: Sequence[Norms]) -> list[dict[str, Any]]:
    """A row for each checkpoint and state: how far back each layer's gradient reaches."""
    table: dict[tuple[str, str], dict[str, Any]] = {}
    for each in found:
        row = table.setdefault((each.name, each.state), {"name": each.name, "state": each.state})
        row[f"layer {each.layer} reaches back"] = each.reach
    return list(table.values())


def _figure(trained: Mapping[str, Checkpoint], found: Sequence[Norms]) -> Figure:
    layers = 1 + max(each.layer for each in found)
    figure, axes = panels(layers, len(STATES), sharex=True, sharey=True)
    for (called, names), colour in zip(label.grouped(trained).items(), itertools.cycle(COLOURS)):
        for row, state in enumerate(STATES):
            for layer in range(layers):
                curves = [
                    np.maximum(each.norms / each.norms[0], LOWEST / 100)
                    for each in found
                    if each.name in names and (each.state, each.layer) == (state, layer)
                ]
                band.draw(axes[row, layer], band.of_curves(map(np.ndarray.tolist, curves)), colour, called)
    for row, state in enumerate(STATES):
        axes[row, 0].set(ylabel="G(d) / G(0)")
        for layer in range(layers):
            axes[row, layer].set(yscale="log", ylim=(LOWEST, 3), title=f"layer {layer}, {state}")
            log_axis(axes[row, layer].yaxis)
    for axis in axes[-1]:
        axis.set_xlabel("distance d in time (steps)")
        axis.margins(x=0.01)
    legend(figure, axes[0, 0])
    return figure
