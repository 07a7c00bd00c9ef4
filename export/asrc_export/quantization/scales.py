"""The scales and exponents at which a float network becomes integers: once chosen, they can be kept and used again."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from asrc_core.contract.neurons.integrator import MAX_WEIGHT_SHIFT
from asrc_core.contract.neurons.kind import ACTIVATION_SHIFT
from asrc_core.contract.numbers import MAX_EXPONENT, MAX_WEIGHT_BITS, MIN_WEIGHT_BITS
from asrc_core.contract.rounding.grid import widths
from asrc_core.contract.rounding.resonators import LEAST_MODE_BITS, LEAST_POLE_BITS, MOST_POLE_BITS, READOUT_BITS
from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting
from asrc_core.forms.first_problem import first_problem
from asrc_train.trained.frozen import FrozenNetwork

PROVENANCE_KEY = "quantization"
"""Under this name a checkpoint that was trained at given scales carries them, and the network made of it, too."""

# Far beyond any use, and far from where a weight times the scale would leave double precision.
_Scale = Annotated[float, Field(gt=0, le=2.0**800, allow_inf_nan=False)]
_Bits = Annotated[int, Field(ge=MIN_WEIGHT_BITS, le=MAX_WEIGHT_BITS)]
_Exponent = Annotated[int, Field(ge=-MAX_EXPONENT, le=MAX_EXPONENT)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LayerScales(_Section):
    """Of one layer: membrane units in one unit of the float membrane, and the exponents of its weights."""

    scale: _Scale
    feedforward_exponent: _Exponent
    recurrent_exponent: _Exponent
    activation_shift: Annotated[int, Field(ge=0, le=ACTIVATION_SHIFT.high)] | None = None
    """Of what arrives, where it is the layer's own: layers with a delay for each synapse. None is the target's."""
    pole_bits: Annotated[int, Field(ge=LEAST_POLE_BITS, le=MOST_POLE_BITS)] | None = None
    """Of resonators, where training went on with so many; None: those that the float network asks for."""
    mode_bits: Annotated[int, Field(ge=LEAST_MODE_BITS, le=READOUT_BITS)] | None = None
    """The same of what reads their modes."""


class ReadoutScales(_Section):
    """Of the readout: accumulator units in one unit of the float logits, and the exponent of its weights.

    Of one that is a layer of its own (`FrozenNetwork.decides`): units of its membrane, the shift of what arrives, and
    that of what steps weigh.
    """

    scale: _Scale
    exponent: _Exponent
    activation_shift: Annotated[int, Field(ge=0, le=ACTIVATION_SHIFT.high)] | None = None
    weight_shift: Annotated[int, Field(ge=0, le=MAX_WEIGHT_SHIFT)] = 0

    def of_layer(self) -> LayerScales:
        """The same, of a layer."""
        return LayerScales(
            scale=self.scale,
            feedforward_exponent=self.exponent,
            recurrent_exponent=self.exponent,
            activation_shift=self.activation_shift,
        )


class Scales(_Section):
    """Of a whole network, for one target and one width of weights, or one for each layer and the readout."""

    target: str
    bits: _Bits | tuple[_Bits, ...]
    layers: tuple[LayerScales, ...]
    readout: ReadoutScales

    @property
    def widths(self) -> tuple[int, ...]:
        """The weight bits of each layer and, last, of the readout. Raises InvalidSetting for too few or too many."""
        return widths(self.bits, len(self.layers))

    def carried(self) -> dict[str, Any]:
        """The provenance entry by which `kept` finds them again."""
        return {PROVENANCE_KEY: self.model_dump(mode="json")}


def kept(frozen: FrozenNetwork) -> Scales | None:
    """The scales that the network was trained at, or None. Raises InvalidSetting if they are not whole."""
    stated = frozen.provenance.get(PROVENANCE_KEY)
    if stated is None:
        return None
    where = f"the checkpoint's '{PROVENANCE_KEY}'"
    try:
        scales = Scales.model_validate(stated)
    except ValidationError as error:
        problem = first_problem(error, Scales)
        raise InvalidSetting(f"{where}, key '{problem.key}'", problem.why) from error
    if len(scales.layers) != len(frozen.layers):
        raise InvalidSetting(
            where, f"it has scales for {plural(len(scales.layers), 'layer')}, there are {len(frozen.layers)}"
        )
    if not isinstance(scales.bits, int) and len(scales.bits) != len(scales.layers) + 1:
        raise InvalidSetting(
            where, f"it has {len(scales.bits)} widths for {plural(len(scales.layers), 'layer')} and the readout"
        )
    return scales
