"""The JSON beside the tensors, as validated forms: one for chains (versions 1 and 2), one for the rest (3)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from asrc_core.contract.numbers import MAX_NAME, MAX_NEURONS, MAX_TAPS, STATE_MAX, Mapping, Reset
from asrc_core.contract.synapses.convolution import Convolution

FORMAT: Literal["asrc-integer-network"] = "asrc-integer-network"

Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
Scale = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Whole = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]


class Strict(BaseModel):
    """No other keys, no conversions."""

    model_config = ConfigDict(extra="forbid", strict=True)


class InputForm(Strict):
    """`InputFormat`."""

    channels: Annotated[int, Field(ge=1, le=2**20)]
    minimum: Annotated[int, Field(ge=-STATE_MAX, le=STATE_MAX)]
    maximum: Annotated[int, Field(ge=-STATE_MAX, le=STATE_MAX)]
    scale: Scale


class TapForm(Strict):
    """`Tap`."""

    span: Whole
    weight: Whole


class Head(BaseModel):
    """What says which of the forms is to be read."""

    model_config = ConfigDict(extra="ignore", strict=True)

    format: Literal["asrc-integer-network"] = FORMAT
    contract: int
    file_version: Annotated[int, Field(ge=1)] = 1


class Manifest(Strict):
    """What both forms begin with."""

    format: Literal["asrc-integer-network"] = FORMAT
    contract: int
    file_version: Annotated[int, Field(ge=1)] = 1  # left out where it is 1
    target: Name


class SkipLayerForm(Strict):
    """`SkipLayer` but its tensors."""

    name: Name
    feedforward_exponent: int
    recurrent_exponent: int
    decay: int
    threshold: int
    span: int
    reset: Reset
    activation_shift: int
    weight_bits: int
    scale: Scale
    taps: list[TapForm] = Field(default_factory=list, min_length=1, max_length=MAX_TAPS)  # left out if there are none


class ReadoutForm(Strict):
    """`Readout` but its tensors."""

    name: Name
    exponent: int
    weight_bits: int
    scale: Scale


class ChainManifest(Manifest):
    """A chain."""

    mapping: Mapping
    steps: Annotated[int, Field(ge=1, le=2**31 - 1)]
    input: InputForm
    layers: Annotated[list[SkipLayerForm], Field(min_length=1, max_length=10_000)]
    readout: ReadoutForm
    provenance: dict[str, Any]


class NeuronForm(Strict):
    """A kind and those parameters that are one number or a choice; what is not here is a tensor."""

    kind: Name
    parameters: dict[Name, Whole | Name]


_Sizes = Annotated[list[int], Field(min_length=1, max_length=3)]


class ConvolutionForm(Strict):
    """`Convolution`."""

    source: _Sizes
    layer: _Sizes
    kernel: _Sizes
    stride: _Sizes
    padding: _Sizes
    dilation: _Sizes
    groups: int

    @classmethod
    def of(cls, convolution: Convolution) -> ConvolutionForm:
        """The form of a convolution."""
        sizes = {name: list(getattr(convolution, name)) for name in cls.model_fields if name != "groups"}
        return cls(**sizes, groups=convolution.groups)

    @model_validator(mode="after")
    def _fits(self) -> ConvolutionForm:
        self.convolution()
        return self

    def convolution(self) -> Convolution:
        """The convolution. Raises ValueError for sizes that do not fit each other."""
        sizes = {name: tuple(getattr(self, name)) for name in type(self).model_fields if name != "groups"}
        return Convolution(**sizes, groups=self.groups)


class ConnectionForm(Strict):
    """`Connection` but its weights; taps, or none where the tensor ``delays`` has a lag for each synapse.

    With a convolution, the tensor ``kernel`` takes the place of ``weights``.
    """

    source: Name
    exponent: Whole
    weight_bits: Whole
    mapping: Mapping
    taps: Annotated[list[TapForm], Field(max_length=MAX_TAPS)]
    convolution: ConvolutionForm | None = None  # left out where weights are not shared


class LayerForm(Strict):
    """`Layer`."""

    name: Name
    neurons: Annotated[int, Field(ge=1, le=MAX_NEURONS)]
    neuron: NeuronForm
    connections: Annotated[list[ConnectionForm], Field(min_length=1, max_length=10_000)]
    scale: Scale


class NetworkManifest(Manifest):
    """Any network."""

    steps: Annotated[int, Field(ge=1, le=2**31 - 1)]
    input: InputForm
    layers: Annotated[list[LayerForm], Field(min_length=1, max_length=10_000)]
    provenance: dict[str, Any]
