"""The float network as layers that the contract's interpreter runs: the kinds' own steps, on real numbers.

    session = Session(real_network.of(frozen), batch, RealArithmetic())

Its input are integer samples times ``frozen.scale``. The sums are those of the training kernels in another order.
"""

from __future__ import annotations

from asrc_core.contract.operations.real_network import RealConnection, RealLayer, RealNetwork, real_neuron
from asrc_train.trained.frozen import FrozenLayer, FrozenNetwork


def of(frozen: FrozenNetwork) -> RealNetwork:
    """The layers of whatever kind, and a readout: a layer of its own, or an `integrator`."""
    layers = [_layer(layer) for layer in frozen.layers]
    if frozen.decides is not None:
        return RealNetwork((*layers, _layer(frozen.decides)))
    last = real_neuron("integrator", {"bias": frozen.readout_bias})
    readout = RealLayer("readout", (RealConnection(layers[-1].name, frozen.readout_weight),), last)
    return RealNetwork((*layers, readout))


def _layer(layer: FrozenLayer) -> RealLayer:
    connections = (RealConnection(each.source, each.weight, each.taps, each.delays) for each in layer.connections)
    return RealLayer(layer.name, tuple(connections), real_neuron(layer.kind, layer.constants))
