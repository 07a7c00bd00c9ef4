"""Layers that form a graph, as networks of other tools do: what a checkpoint says of them beside its tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from asrc_core.contract import neurons
from asrc_core.contract.file.forms import ConvolutionForm
from asrc_core.contract.numbers import MAX_NAME, MAX_SPAN, MAX_TABLE
from asrc_core.contract.synapses.connection import INPUT

MAX_LAYERS = 1000
MAX_CONNECTIONS = 100

_Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Lag = Annotated[int, Field(ge=0, le=max(MAX_SPAN.values()))]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GraphConnection(_Form):
    """Synapses from the input or a layer. Tensors: weight (N, I); delay (N, I) in steps where there is no span."""

    source: _Name
    span: _Lag | None = 0
    """How many steps ago what the synapses weigh was sent; None: each synapse has its own."""
    sparse: bool = False
    """Whether most weights are absent: they have a mask then, and only those that are there are kept."""
    convolution: ConvolutionForm | None = None
    """Where the weights lie, if they come from a kernel."""


class GraphLayer(_Form):
    """Neurons of one of the contract's kinds. Tensors: what is in ``each``, (N,)."""

    name: _Name
    kind: _Name
    neurons: Annotated[int, Field(ge=1, le=65_536)]
    constants: dict[str, _Finite | str | Annotated[tuple[_Finite, ...], Field(min_length=1, max_length=MAX_TABLE)]]
    """Floats and choices that all of its neurons share, by the kind's names."""
    each: tuple[_Name, ...] = ("bias",)
    """Names of the constants that each neuron has for itself."""
    connections: Annotated[tuple[GraphConnection, ...], Field(min_length=1, max_length=MAX_CONNECTIONS)]

    @model_validator(mode="after")
    def _constants_of_its_kind(self) -> GraphLayer:
        if self.kind not in neurons.names():
            raise ValueError(f"kind: there is no '{self.kind}', there are {', '.join(neurons.names())}")
        known = neurons.kind(self.kind).constants
        given = [*self.constants, *self.each]
        for name in given:
            if name not in known or given.count(name) > 1:
                why = "is given twice" if name in known else f"is none of {', '.join(known)}"
                raise ValueError(f"constants: '{name}' {why}")
        if "bias" not in self.each:
            raise ValueError("each: every neuron has a bias")
        return self


def first_fault(layers: Sequence[GraphLayer], hidden: Sequence[int]) -> str | None:
    """What of the layers does not fit one another, or the widths of all but the last; None if all does."""
    names = [layer.name for layer in layers]
    if len(set(names)) < len(names) or INPUT in names:
        return "two of its layers have one name, or the input's"
    if [layer.neurons for layer in layers[:-1]] != list(hidden):
        return "its layers but the last do not have the widths of `hidden`"
    for place, layer in enumerate(layers):
        if (neurons.kind(layer.kind).sends is None) != (place == len(layers) - 1):
            return f"layer '{layer.name}' of kind '{layer.kind}': the last layer reads out, and no other"
        if why := next(_faults(names, place, layer), None):
            return f"layer '{layer.name}': {why}"
    return None


def _faults(names: Sequence[str], place: int, layer: GraphLayer) -> Iterator[str]:
    known = {INPUT: -1, **{name: i for i, name in enumerate(names[:-1])}}
    for each in layer.connections:
        if each.source not in known:
            yield f"nothing that sends is called '{each.source}'"
        elif each.span == 0 and known[each.source] >= place:
            yield f"what comes from '{each.source}' closes a loop without delay"
