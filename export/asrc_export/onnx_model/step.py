"""One time step of the integer network as an ONNX graph: the body of the model's `Scan`.

Its state are every layer's states, what sources sent in the last steps and is still under way, the event
counters, and the logits so far. Integer operators only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Ints
from asrc_core.contract.operations.intervals import Interval
from asrc_core.contract.ranges import Range, product_bounds
from asrc_core.contract.synapses.connection import INPUT, Connection
from asrc_export.onnx_model.history import histories, is_immediate, is_stacked, message_type, row_count
from asrc_export.onnx_model.nodes import Nodes, Port
from asrc_export.onnx_model.operations import Number, OnnxOperations, state_type
from asrc_export.onnx_model.tally import Tally

if TYPE_CHECKING:
    from onnx import GraphProto

COUNTED = ("spikes", "operations", "saturations")
"""Events counted per sample; `operations` are synaptic operations."""
LAST, NEXT = "last_", "next_"


@dataclass(frozen=True)
class StepGraph:
    """The body of the Scan, its state, and the weights (K, columns) that make each output of the counters' K sums."""

    body: GraphProto
    state: list[Port]
    counts: dict[str, Ints]


def step(network: IntegerNetwork, traces: list[Port]) -> StepGraph:
    """One time step: (state, x[t]) -> (state, traces of step t)."""
    from onnx import helper

    made = _Step(network)
    for i in range(len(network.layers)):
        made.add_layer(i)
    state = made.finish([port.name for port in traces])
    x = Port("x_t", message_type(network.input.range), (network.input.channels,))
    inputs = [port._replace(name=LAST + port.name).declared("B") for port in state]
    outputs = [port._replace(name=NEXT + port.name).declared("B") for port in state]
    body = helper.make_graph(
        made.g.nodes,
        "step",
        [*inputs, x.declared("B")],
        [*outputs, *(port.declared("B") for port in traces)],
        made.g.initializers,
    )
    columns = columns_of(network)
    return StepGraph(body, state, {name: made.tally.weights(name, columns[name]) for name in COUNTED})


def columns_of(network: IntegerNetwork) -> dict[str, int]:
    """How many columns each output of counts has: one for each layer, or for each connection in the layers' order."""
    layers = len(network.layers)
    return {
        "spikes": layers,
        "operations": sum(len(layer.connections) for layer in network.layers),
        "saturations": layers,
    }


def traces_of(network: IntegerNetwork) -> list[Port]:
    """Outputs of the step that together are the trace."""
    ports: list[Port] = []
    for i, layer in enumerate(network.hidden):
        spikes = np.uint8 if network.sent(layer.name).is_bit else np.int32
        ports += [
            Port(f"layer{i}_spikes", spikes, (layer.neurons,)),
            Port(f"layer{i}_membrane", np.int32, (layer.neurons,)),
        ]
    return [*ports, Port("readout_accumulator", np.int32, (network.classes,))]


class _Step:
    """The graph as it is written, layer by layer."""

    def __init__(self, network: IntegerNetwork) -> None:
        self.g, self.tally = Nodes("step_"), Tally()
        self._network, self._histories = network, histories(network)
        self._ports = [each.port(self._history_of(source)) for source, each in self._histories.items()]
        self._next: dict[str, str] = {}
        self._traced: dict[str, str] = {}
        self._sent: dict[str, str] = {}
        self._connections = 0
        self._send(INPUT, "x_t")

    def add_layer(self, i: int) -> None:
        """The sums of all connections, the neurons' step, and what it sends."""
        layer, last = self._network.layers[i], i == len(self._network.layers) - 1
        total = self._total(i)
        o = OnnxOperations(self.g, total.name)
        after = layer.neuron.of_kind.step(o, layer.neuron.parameters, self._states(i), total)
        for name, width in layer.neuron.states.items():
            self._next[_state_name(i, name)] = o.typed(o.spread(after.states[name]), state_type(width))
        once = np.ones(layer.neurons, np.int64)
        for changed in o.saturated:
            self.tally.count("saturations", i, changed, once)
        shown = o.typed(o.spread(after.shown), np.int32)
        self._traced["readout_accumulator" if last else f"layer{i}_membrane"] = shown
        if last:
            self._ports.append(Port("logits", np.int32, (layer.neurons,)))
            self._next["logits"] = shown
            return
        assert after.sent is not None, "only the last layer sends nothing"
        sends = self._network.sent(layer.name)
        sent = o.typed(o.spread(after.sent), message_type(sends))
        self._traced[f"layer{i}_spikes"] = sent if sends.is_bit else o.typed(o.spread(after.sent), np.int32)
        self.tally.count("spikes", i, self._other_than_0(sent, sends), once)
        self._send(layer.name, sent)

    def finish(self, traced: list[str]) -> list[Port]:
        """Write what ends a step, and name its results; the state's ports."""
        counters = Port("counters", np.int64, (self.tally.sums,))
        self._next["counters"] = self.g("Add", LAST + counters.name, self.tally.counted(self.g))
        state = [*self._ports, counters]
        results = {NEXT + port.name: self._next[port.name] for port in state}
        self.g.finish({**results, **{name: self._traced[name] for name in traced}})
        return state

    def _states(self, i: int) -> dict[str, Number]:
        """The layer's states as the last step left them."""
        layer, bounds = self._network.layers[i], self._network.ranges[i].each_state
        ports = {
            name: Port(_state_name(i, name), state_type(width), (layer.neurons,))
            for name, width in layer.neuron.states.items()
        }
        self._ports += ports.values()
        return {name: Number(LAST + port.name, port.dtype, Interval(*bounds[name])) for name, port in ports.items()}

    def _total(self, i: int) -> Number:
        """The sum of all connections to a layer, (B, N), from halved products, hence exponents one higher."""
        layer, o = self._network.layers[i], OnnxOperations(self.g, "")
        # Left shifts that all share are done once, on the sum.
        common = max(0, min(each.exponent + 1 for each in layer.connections))
        parts = []
        for each in layer.connections:
            product, exponent = self._product(each), each.exponent + 1 - common
            parts.append(o.shl(product, exponent) if exponent >= 0 else o.floor(product, -exponent))
        total = parts[0]
        for part in parts[1:]:
            total = o.add(total, part)
        return o.shl(total, common)

    def _product(self, connection: Connection) -> Number:
        """sum_lag W_lag x[t - lag] / 2, (B, N); and count its synaptic operations."""
        sent, column = self._network.sent(connection.source), self._connections
        self._connections += 1
        if is_stacked(connection):
            message, messages = sent, self._delayed(connection)
            times, each = np.bincount(_rows(connection).ravel(), minlength=row_count(connection)), 1
        else:
            message, messages = connection.message(sent), self._message(connection)
            times, each = np.ones(connection.inputs, np.int64), connection.neurons
        self.tally.count("operations", column, self._other_than_0(messages, message), times, each)
        if message_type(message) == np.uint8:
            made = self.g("MatMulInteger", messages, self.g.integers(_halved(connection), np.int8))
        else:
            # The contract bounds every partial sum, so 32 bits hold it in whatever order it is formed.
            made = self.g("MatMul", messages, self.g.integers(_halved(connection), np.int32))
        low, high = product_bounds(connection.weights >> 1, message.low, message.high)
        return Number(made, np.int32, Interval(low, high))

    def _message(self, connection: Connection) -> str:
        """sum_j m_j x[t - span_j], (B, I)."""
        source = connection.source
        if is_immediate(connection):
            return self._sent[source]
        history, held = self._histories[source], LAST + self._history_of(source)
        parts = [history.back(self.g, held, span) for span, _ in connection.taps]
        if len(parts) == 1:
            return parts[0]
        weighted = [
            self.g("Mul", self.g.cast(part, np.int32), self.g.integers(weight, np.int32))
            for part, (_, weight) in zip(parts, connection.taps, strict=True)
        ]
        message = weighted[0]
        for part in weighted[1:]:
            message = self.g("Add", message, part)
        return self.g.cast(message, np.uint8)

    def _delayed(self, connection: Connection) -> str:
        """x[t - lag] for every lag that occurs, side by side: (B, lags x I)."""
        history, name = self._histories[connection.source], self._history_of(connection.source)
        if connection.lags[0] == 0:  # the source has sent already, and its history of this step is written
            return history.all_back(self.g, self._next[name], [lag + 1 for lag in connection.lags])
        return history.all_back(self.g, LAST + name, connection.lags)

    def _send(self, source: str, sent: str) -> None:
        """Note what a source sends in this step."""
        self._sent[source] = sent
        if source in self._histories:
            name = self._history_of(source)
            self._next[name] = self._histories[source].push(self.g, LAST + name, sent)

    def _other_than_0(self, messages: str, sent: Range) -> str:
        """1 where anything was sent, uint8."""
        return messages if sent.is_bit else self.g.cast(self.g.cast(messages, np.bool_), np.uint8)

    def _history_of(self, source: str) -> str:
        place = self._network.place(source)
        return "input_history" if place < 0 else f"history{place}"


def _state_name(i: int, name: str) -> str:
    return f"state{i}_{name}"


def _halved(connection: Connection) -> NDArray[np.int8]:
    """The weights as what products take, (rows, N): half of an even weight in [-256, 254] is a signed byte.

    One row for each input or, with a delay for each synapse, for each lag that occurs and input.
    """
    made = np.zeros((row_count(connection), connection.neurons), np.int8)
    made[_rows(connection), np.arange(connection.neurons)[:, np.newaxis]] = connection.weights >> 1
    return made


def _rows(connection: Connection) -> Ints:
    """The row of each synapse, (N, I) or, where that is the same for all neurons, (1, I)."""
    inputs: Ints = np.arange(connection.inputs)[np.newaxis]
    if connection.delays is None or is_immediate(connection):
        return inputs
    return np.searchsorted(connection.lags, connection.delays) * connection.inputs + inputs
