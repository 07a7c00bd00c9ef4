"""The network: skip-recurrent layers one on top of the other, and a readout summed over time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import Unpack

from asrc_core import html
from asrc_core.counts import plural
from asrc_train.kernels.choice import pass_over_all
from asrc_train.kernels.layer import current
from asrc_train.kernels.state_space.run import driven_spikes, takes_weights
from asrc_train.network.compiler.compiling import as_it_is
from asrc_train.network.connections.connection import (
    Connection,
    longest_span,
    new_connection,
    settled,
    weight_of_lags,
)
from asrc_train.network.neurons.neuron import Neuron, new_neurons
from asrc_train.network.normalization import BatchNormalization
from asrc_train.network.parts import (
    LayerSettings,
    NetworkSettings,
    Parts,
    configured,
    of_layer,
    require_call,
    require_whole,
    require_width,
)
from asrc_train.network.recurrence import (
    Dynamics,
    SkipLayer,
    driven_recurrence,
    packed_spikes,
    skip_recurrence,
    spike_counts,
)
from asrc_train.network.rounding_noise import noisy
from asrc_train.network.skips import beside, fan_in
from asrc_train.network.sparsity import keep_absent, sparsify
from asrc_train.network.state_space.layer import StateSpaceLayer
from asrc_train.network.stepping import stepped_recurrence
from asrc_train.settings.config import NetworkConfig


class SkipRecurrentLayer(nn.Module):
    """Neurons with a feed-forward and a skip-recurrent connection; the equations stand in `neurons` and `recurrence`.

    W and b start as PyTorch's Linear does, U orthogonal; of both matrices a share may be absent (`sparsity`). Dropout
    multiplies a neuron's feed-forward current by 0 or 1 / (1 - p), the same over all steps of a sample; batch
    normalisation comes after it. In training, W and U may carry noise (`rounding_noise`).

    ``connection`` and ``neuron`` are names, or objects: modules as in `connections` and `neurons`. ``settings`` are
    those of `NetworkConfig` that a layer has; ``steps`` of a sample are needed where something is learned for each of
    them. Raises UnknownName and InvalidSetting for what does not fit, before there is a layer.
    """

    def __init__(
        self,
        inputs: int,
        size: int,
        connection: str | Connection = "asrc",
        neuron: str | Neuron = "lif",
        *,
        steps: int | None = None,
        **settings: Unpack[LayerSettings],
    ) -> None:
        require_width("inputs", inputs)
        self._make(inputs, size, of_layer(size, connection, neuron, steps, settings))

    @classmethod
    def of(cls, inputs: int, size: int, parts: Parts) -> SkipRecurrentLayer:
        """The layer of such parts."""
        made = cls.__new__(cls)
        made._make(inputs, size, parts)
        return made

    def _make(self, inputs: int, size: int, parts: Parts) -> None:
        super().__init__()
        connection, neuron, config, self.named = parts
        self.config = config
        self.feedforward = nn.Linear(inputs, size)
        self.recurrent = nn.Linear(size, size, bias=False)
        nn.init.orthogonal_(self.recurrent.weight)
        if config.sparsity:
            sparsify(self.feedforward, config.sparsity)
            sparsify(self.recurrent, config.sparsity)
        self.connection = connection
        self.neuron = neuron
        self.dropout = config.dropout
        self.rounding_noise = config.rounding_noise
        self.normalization = BatchNormalization(size) if config.batch_norm else None

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Of a copy, or of one that was stored: its absent weights get no gradient either."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]  # PyTorch gives it no types
        for linear in (self.feedforward, self.recurrent):
            if "mask" in dict(linear.named_buffers()):
                keep_absent(linear)

    def __repr__(self) -> str:
        size, inputs = self.feedforward.weight.shape
        of_neuron = self.config.neuron if self.named else type(self.neuron).__name__
        of_connection = self.config.connection if self.named else type(self.connection).__name__
        return f"{type(self).__name__}({inputs} -> {size}, {of_connection}, span {self.span}, {of_neuron})"

    @property
    def span(self) -> int:
        """The longest span that it taps at test time."""
        return longest_span(self.connection.taps(None))

    @as_it_is
    def forward(self, x: Tensor, temperature: float | None = None) -> Tensor:
        """Spikes (T, B, N) for input (T, B, I); hard-max spans unless a temperature is given.

        Raises InvalidData and InvalidSetting for what does not fit.
        """
        require_call(x, temperature, self.feedforward.in_features)
        layer = self.prepared(x.shape[1], temperature)
        if self.normalization is not None and self.training:
            x = self.normalization(current(x, layer))
            layer = layer._replace(weight=None, bias=None, gain=None)
        if not self.in_kernels:
            named = "a span for each step" if self.connection.each_step else f"neuron '{type(self.neuron).__name__}'"
            pass_over_all(f"{named} runs step by step in PyTorch")
            return stepped_recurrence(x, layer, self.neuron)
        if layer.weight is None:
            return driven_recurrence(x, layer.recurrent, layer.taps, layer.dynamics)
        return skip_recurrence(x, layer.weight, layer.bias, layer.recurrent, layer.taps, layer.dynamics, layer.gain)

    @property
    def in_kernels(self) -> bool:
        """Whether the kernels know these neurons and this connection."""
        return self.neuron.dynamics() is not None and not self.connection.each_step

    @property
    def in_stack(self) -> bool:
        """Whether the layer can run as one of a stack: in the kernels, and without statistics of the whole batch."""
        return self.in_kernels and not (self.training and self.normalization is not None)

    @property
    def dynamics(self) -> Dynamics:
        """The neurons' constants as the kernels take them, for neurons that these know."""
        return self.neuron.dynamics() or Dynamics()

    def prepared(self, batch: int, temperature: float | None) -> SkipLayer:
        """What runs, as the kernels take it, but for the batch normalisation that training does."""
        mixture, linear = self.connection.taps(temperature), self.feedforward
        taps = settled(mixture)
        layer = SkipLayer(linear.weight, linear.bias, self.recurrent.weight, taps, self.dynamics, self._gain(batch))
        if self.training and self.rounding_noise is not None:
            weight, recurrent = (noisy(of.weight, self.rounding_noise) for of in (linear, self.recurrent))
            layer = layer._replace(weight=weight, recurrent=recurrent)
        if isinstance(mixture, Tensor) and taps is not mixture and mixture.requires_grad:
            # A gradient of 0 for the logits: who expects one of every parameter, as DistributedDataParallel, gets it.
            layer = layer._replace(recurrent=layer.recurrent + 0 * mixture.sum())
        if self.normalization is None or self.training:
            return layer
        weight, bias = self.normalization.folded(linear.weight, linear.bias)
        return layer._replace(weight=weight, bias=bias)

    def _gain(self, batch: int) -> Tensor | None:
        if not self.training or self.dropout == 0:
            return None
        weight = self.feedforward.weight
        return nn.functional.dropout(weight.new_ones(batch, len(weight)), self.dropout)


class SkipRecurrentNetwork(nn.Module):
    """logits = sum_t (W_o s[t] + b_o) over the spikes s of the last layer.

    Layers of state-space neurons (`StateSpaceLayer`) may stand among the recurrent ones, or be all; if the last one is
    such a layer, logits are the mean in place of the sum. With ``skips`` a layer hears two layers (`network.skips`).

    ``steps`` of a sample are needed only where something is learned for each of them: spans per step, GLIF. In place of
    a configuration its settings may be given one by one: ``hidden=(64, 64), connection="src", span=8``. Raises
    InvalidSetting naming what does not fit.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        config: NetworkConfig | None = None,
        steps: int | None = None,
        **settings: Unpack[NetworkSettings],
    ) -> None:
        super().__init__()
        require_width("channels", channels)
        require_whole("classes", classes)
        config = configured(config, settings)
        self.config = config
        fan_ins = [fan_in(config.skips, i, channels, config.hidden) for i in range(len(config.hidden))]
        shared = new_connection(config.each_layer()[0], steps) if config.shared_span else None
        self.layers = nn.ModuleList(
            _new_layer(inputs, size, own, shared, steps)
            for inputs, size, own in zip(fan_ins, config.hidden, config.each_layer(), strict=True)
        )
        for i, layer in enumerate(self.layers):
            if isinstance(layer, StateSpaceLayer):
                layer.where = f"layer {i}, "
        self.readout = nn.Linear(config.hidden[-1], classes)

    def __repr__(self) -> str:
        widths = " -> ".join(map(str, (self.hidden_layers()[0].feedforward.in_features, *self.config.hidden)))
        count = sum(p.numel() for p in self.parameters())
        made_of = f"{self.config.connection}, {self.config.neuron}, spans {'/'.join(map(str, self.spans))}"
        return (
            f"{type(self).__name__}({widths} -> {self.readout.out_features}, {made_of}, {plural(count, 'parameter')})"
        )

    def _repr_html_(self) -> str:
        rows = [
            (i, layer.feedforward.in_features, layer.feedforward.out_features, layer.span, repr(layer.connection))
            for i, layer in enumerate(self.hidden_layers())
        ]
        return html.table(repr(self), ("layer", "inputs", "neurons", "span", "connection"), rows)

    @as_it_is
    def forward(self, x: Tensor, temperature: float | None = None) -> Tensor:
        """Logits (B, classes) for real input (T, B, channels).

        Softmax mixture at a temperature, hard-max spans without one. Raises InvalidData and InvalidSetting for what
        does not fit.
        """
        require_call(x, temperature, self.hidden_layers()[0].feedforward.in_features)
        layers = self._stack()
        if layers is None:
            found = self._state_space_counts(x)
            return self.traced(x, temperature)[0] if found is None else self._decide(found, len(x))
        return self._decide(spike_counts(x, [each.prepared(x.shape[1], temperature) for each in layers]), len(x))

    @as_it_is
    def traced(self, x: Tensor, temperature: float | None = None) -> tuple[Tensor, list[Tensor]]:
        """The same logits, and the spikes of every layer, (T, B, N) each."""
        require_call(x, temperature, self.hidden_layers()[0].feedforward.in_features)
        outputs: list[Tensor] = []
        for layer in self.hidden_layers():
            outputs.append(layer(beside(self.config.skips, x, outputs), temperature))
        return self._decide(outputs[-1].sum(0), len(x)), outputs

    @torch.no_grad()
    def packed(self, x: Tensor, temperature: float | None = None) -> tuple[Tensor, list[Tensor]] | None:
        """The logits, and the spikes of every layer as bits (`packed_spikes`), at a fraction of the time and memory of
        `traced`; None where no kernel runs all layers that way.
        """
        layers = self._stack()
        if layers is None:
            return None
        found = packed_spikes(x, [layer.prepared(x.shape[1], temperature) for layer in layers])
        return None if found is None else (self._decide(found[0], len(x)), found[1])

    def tallied(self, x: Tensor, temperature: float | None = None) -> tuple[Tensor, list[int]]:
        """The same logits, and how often every layer fired in all."""
        packed = self.packed(x, temperature)
        if packed is not None:
            return packed[0], [int(np.unpackbits(words.numpy().view(np.uint8)).sum()) for words in packed[1]]
        logits, spikes = self.traced(x, temperature)
        # Summed in double precision: single counts whole numbers only up to 2^24.
        return logits, [int(s.sum(dtype=torch.float64)) for s in spikes]

    def _stack(self) -> list[SkipRecurrentLayer] | None:
        """All layers, if the kernels run them as one stack, each on the one before it."""
        if self.config.skips != "none":
            return None
        stack = [layer for layer in self.layers if isinstance(layer, SkipRecurrentLayer) and layer.in_stack]
        return stack if len(stack) == len(self.layers) else None

    def _state_space_counts(self, x: Tensor) -> Tensor | None:
        """Spikes of the last layer summed over time, (B, N), if all layers are of state-space neurons, each on the one
        before it, and a kernel runs them at once.
        """
        layers = self.state_space_layers()
        if self.config.skips != "none" or len(layers) < len(self.layers):
            return None
        if not takes_weights(x, layers[0].neuron.resonators()):
            return None
        counts, statistics = driven_spikes(x, [layer.driven(x.shape[1]) for layer in layers], summed=True)
        for layer, of in zip(layers, statistics, strict=True):
            layer.seen(of, x.shape[0] * x.shape[1])
        return counts

    def _decide(self, counts: Tensor, steps: int) -> Tensor:
        """The readout summed over time: the sum moves inside the linear map. Its mean where the last layer is one of
        state-space neurons: the same decision, and logits of one size whatever T is.
        """
        summed = nn.functional.linear(counts, self.readout.weight) + steps * self.readout.bias
        return summed / steps if isinstance(self.layers[-1], StateSpaceLayer) else summed

    @property
    def widths(self) -> list[int]:
        """Neurons of each layer."""
        return [len(layer.feedforward.weight) for layer in self.hidden_layers()]

    @property
    def spans(self) -> list[int]:
        """The longest span that each layer taps at test time; of most connections, the only one."""
        return [layer.span for layer in self.hidden_layers()]

    @torch.no_grad()
    def weight_of_lags(self, temperature: float) -> list[list[float]]:
        """How much each lag from 1 to K weighs in each layer at a temperature; empty lists where the span is fixed."""
        return [
            weight_of_lags(layer.connection.taps(temperature)) if isinstance(layer, SkipRecurrentLayer) else []
            for layer in self.hidden_layers()
        ]

    def skip_logits(self) -> list[nn.Parameter]:
        """The parameters that choose spans, each once; none unless the connection learns."""
        found = (p for layer in self.hidden_layers() for p in layer.connection.parameters())
        return list(dict.fromkeys(found))

    def constants(self) -> list[nn.Parameter]:
        """What is learned beside weights and spans: batch normalisation's gains and shifts, the neurons' constants.

        Those of state-space neurons are `timing` and `reading`.
        """
        found: list[nn.Parameter] = []
        for layer in self.hidden_layers():
            found += layer.normalization.parameters() if layer.normalization else ()
            if isinstance(layer, SkipRecurrentLayer):
                found += layer.neuron.parameters()
        return found

    def timing(self) -> list[nn.Parameter]:
        """What moves the poles of state-space neurons."""
        return [p for layer in self.state_space_layers() for p in layer.neuron.timing()]

    def reading(self) -> list[nn.Parameter]:
        """What reads their modes."""
        return [p for layer in self.state_space_layers() for p in layer.neuron.reading()]

    def state_space_layers(self) -> list[StateSpaceLayer]:
        """Those that are not recurrent."""
        return [layer for layer in self.layers if isinstance(layer, StateSpaceLayer)]

    def _skip_layers(self) -> list[SkipRecurrentLayer]:
        return [layer for layer in self.layers if isinstance(layer, SkipRecurrentLayer)]

    def hidden_layers(self) -> list[SkipRecurrentLayer | StateSpaceLayer]:
        """All but the readout."""
        return [layer for layer in self.layers if isinstance(layer, SkipRecurrentLayer | StateSpaceLayer)]


def _new_layer(
    inputs: int, size: int, own: NetworkConfig, shared: Connection | None, steps: int | None
) -> SkipRecurrentLayer | StateSpaceLayer:
    if own.connection == "none":
        return StateSpaceLayer.of(inputs, size, own, steps)
    connection = shared or new_connection(own, steps)
    return SkipRecurrentLayer.of(inputs, size, Parts(connection, new_neurons(own, size, steps), own, True))
