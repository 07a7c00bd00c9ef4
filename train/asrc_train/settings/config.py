"""What a network is and how it is trained: validated, immutable, JSON in and JSON out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from asrc_core import extras
from asrc_core.contract.neurons.resonator import PERIOD, WINDOW
from asrc_core.contract.numbers import MAX_COLUMNS
from asrc_core.counts import agreeing, plural
from asrc_core.errors import InvalidSetting
from asrc_core.forms import toml_file
from asrc_core.forms.first_problem import Problem, first_problem
from asrc_core.forms.toml_lines import line_of
from asrc_train.network import connections, neurons
from asrc_train.network.skips import LEAST_LAYERS, Skips
from asrc_train.settings.graph import MAX_LAYERS, GraphLayer, first_fault


def _one_of(names: Callable[[], list[str]]) -> AfterValidator:
    def known(name: str) -> str:
        if name not in names():
            raise ValueError(f"'{name}' is none of {', '.join(names())}")
        return name

    return AfterValidator(known)


_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Normal = tuple[Annotated[float, Field(allow_inf_nan=False)], _NotNegative]
_Width = Annotated[int, Field(ge=1, le=65_536)]


class _Section(BaseModel):
    """Made by hand, a section raises InvalidSetting; read within another form, pydantic's error, which knows where."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    if not TYPE_CHECKING:  # pydantic's plugin knows each section's own arguments

        def __init__(self, /, **settings: Any) -> None:
            try:
                super().__init__(**settings)
            except ValidationError as error:
                problem = first_problem(error, type(self))
                raise InvalidSetting(problem.of(type(self).__name__), problem.why) from error

        __init__.__pydantic_base_init__ = True  # so that reading a form does not come through here


class DataConfig(_Section):
    """Which samples, in which order of steps."""

    name: Annotated[str, Field(min_length=1, max_length=4096)] | None
    """A data set, or the path of one's own; None only in a network from elsewhere, trained on none of ours."""
    permute: bool = False
    """Feed every sample's steps in one fixed random order, as PS-MNIST does."""
    permutation_seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.125
    """Part of the training split on which the best epoch is chosen, unless the data set comes with an official
    validation split; the test split is read once, at the end."""


class LayerConfig(_Section):
    """What one layer has of its own; what is left out is the network's."""

    neuron: Annotated[str, _one_of(neurons.names)] | None = None
    """With state-space neurons the layer has no recurrent connection."""
    kernel_length: Annotated[int, Field(ge=1, le=4096)] | None = None
    span: Annotated[int, Field(ge=1, le=4096)] | None = None
    decay: Annotated[float, Field(ge=0, le=1)] | None = None
    threshold: _Positive | None = None
    reset: Literal["soft", "hard"] | None = None
    fires: Literal["at", "above"] | None = None


_NO_NORM = "only batch normalisation folds into the weights; set batch_norm to true"
_NO_MIXING = "between layers a chip sends spikes, which it would not compute with; leave it away"
REFUSED = {
    "bidirectional": "a layer that also reads from the end cannot answer while samples come; leave it away",
    "layer_norm": _NO_NORM,
    "glu": _NO_MIXING,
    "gelu": _NO_MIXING,
}
"""What state-space networks elsewhere have, and why none here has."""


class NetworkConfig(_Section):
    """Architecture and neuron constants."""

    neuron: Annotated[str, _one_of(neurons.names)] = "lif"
    """One of the files in `neurons`, each with its equations."""
    connection: Annotated[str, _one_of(connections.names)] = "asrc"
    """One of the files in `connections`, each with its equations."""
    hidden: Annotated[tuple[_Width, ...], Field(max_length=100)] = (64, 128, 128)
    """None at all only of a readout with delays, fed by the input."""
    kernel_length: Annotated[int, Field(ge=1, le=4096)] = 16
    """K of ASRC and its variants: the longest span they may choose."""
    kernels: Annotated[int, Field(ge=1, le=4096)] = 2
    """k of k-ASRC: how many spans a layer may tap at once."""
    shared_span: bool = False
    """One set of skip logits for all layers."""
    span: Annotated[int, Field(ge=1, le=4096)] = 8
    """lambda of SRC."""
    sparsity: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of every layer's feed-forward and recurrent weights that are absent, drawn at random once (`sparsity`)."""
    decay: Annotated[float, Field(ge=0, le=1)] = 0.5
    threshold: _Positive = 1.0
    reset: Literal["soft", "hard"] = "soft"
    fires: Literal["at", "above"] = "at"
    """Whether a membrane that equals the threshold fires; ours do, most other frameworks' do not."""
    detach_reset: bool = False
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of a layer's neurons whose feed-forward current is silenced for a whole sample while training."""
    rounding_noise: Annotated[int, Field(ge=1, le=16)] | None = None
    """While training, weights get noise as large as the error of rounding them to so many bits (`rounding_noise`)."""
    batch_norm: bool = False
    """Normalise each layer's feed-forward current over the batch and its steps; at export it folds into the weights."""
    skips: Skips = "none"
    """Whether a layer hears, beside the layer before it, the one before that (`network.skips`)."""
    layers: tuple[LayerConfig, ...] = ()
    """Constants of each layer, one entry for each, or none at all."""

    modes: Annotated[int, Field(ge=1, le=MAX_COLUMNS)] | None = None
    """K of state-space neurons, as all up to the gate; None: 1 of prf, 4 of the others."""
    period: Annotated[int, Field(ge=0)] | None = None
    """For how many steps a neuron rests after each spike; None: 3 of frssm, 0 of the others."""
    window: Annotated[int, Field(ge=1)] | None = None
    """Taps of the learned window over the read-out, 1 for none; None: 4 of pssm, 1 of the others."""
    initialization: Literal["s4d-lin", "s4d-inv", "real", "real-lin"] = "s4d-lin"
    """Where poles start (`network.state_space.neurons`)."""
    gate: Literal["through", "masked"] = "through"
    """Whether the gradient passes where the period suppresses a crossing."""

    graph: Annotated[tuple[GraphLayer, ...], Field(max_length=MAX_LAYERS)] = ()
    """Layers of a network of another tool, the readout last: it is run and deployed, not trained. With it no other
    setting means anything but ``hidden``, the widths of all but the last."""

    dt: _Positive = 1.0
    """Milliseconds that a step stands for, to neurons whose constants are times and data sets of events in time."""
    tau_membrane: _Positive = 20.0
    """Milliseconds, of cuba-lif."""
    tau_synapse: _Positive = 5.0
    """Milliseconds, of cuba-lif."""

    recurrent: bool = True
    """Whether layers with delays have recurrent synapses; all the following is of such networks."""
    max_delay: Annotated[int, Field(ge=0, le=4094)] = 62
    """The longest delay of the target in steps; recurrent spikes, which arrive a step later at the earliest, reach one
    step further. 0: no delays. Stock Lava and Loihi hold 62."""
    delay_start: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Delays from below start uniformly between 0 and so many steps."""
    recurrent_delay_start: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    """Recurrent delays start uniformly between 1 and so many steps."""
    input_weights: _Normal | None = None
    """Mean and standard deviation of the first layer's weights; None: both 1 / sqrt(fan-in)."""
    hidden_weights: _Normal | None = None
    """The same of the weights between layers."""
    recurrent_weights: _Normal | None = None
    """None: 0 and 0.3 / sqrt(neurons)."""
    readout_weights: _Normal | None = None
    """None: 0 and 0.5 / sqrt(neurons) of integrators, 1 / sqrt(neurons) twice of neurons that fire."""
    readout: Literal["exponential", "mean", "maximum", "first-spike"] = "exponential"
    """What decides: of leaky integrators the mean over the sample of exp(-t / T) V, of V, or the greatest V; or which
    of as many neurons fires first."""
    readout_delays: bool = True
    """Whether the synapses of the readout have delays, too."""

    @model_validator(mode="before")
    @classmethod
    def _only_what_streams_and_folds(cls, given: Any) -> Any:
        for name, why in REFUSED.items():
            if isinstance(given, dict) and name in given:
                raise ValueError(f"{name}: {why}")
        return given

    @field_validator("period")
    @classmethod
    def _within_the_word(cls, period: int | None) -> int | None:
        if period is not None and period > PERIOD.high:
            why = f"{PERIOD.high}, as far back as the 32 bits of a neuron's delay line reach"
            raise ValueError(f"a period of {period} steps is beyond {why}")
        return period

    @field_validator("window")
    @classmethod
    def _foldable(cls, window: int | None) -> int | None:
        if window is not None and window > WINDOW:
            raise ValueError(
                f"a window of {window} taps is beyond {WINDOW}: folding it divides by that power of a pole"
            )
        return window

    @model_validator(mode="before")
    @classmethod
    def _reset_to_zero_with_delays(cls, given: Any) -> Any:
        with_delays = isinstance(given, dict) and given.get("connection") == "delays"
        return {"reset": "hard", **given} if with_delays else given

    @field_validator("hidden")
    @classmethod
    def _something_learns(cls, hidden: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        if not hidden and info.data.get("connection") != "delays":
            raise ValueError("there must be at least one layer")
        return hidden

    @model_validator(mode="after")
    def _a_step_fits(self) -> NetworkConfig:
        for name in ("tau_membrane", "tau_synapse"):
            if getattr(self, name) < self.dt:
                why = f"{name} of {getattr(self, name):g} ms is shorter than a step of {self.dt:g} ms (dt)"
                raise ValueError(f"{why}; take a shorter step")
        return self

    @model_validator(mode="after")
    def _what_comes_back_takes_a_step(self) -> NetworkConfig:
        if self.recurrent_delay_start < 1:
            why = f"recurrent_delay_start: a recurrent delay of {self.recurrent_delay_start:g} does not exist"
            raise ValueError(f"{why}, what comes back arrives a step later or more; give 1 or more")
        return self

    @model_validator(mode="after")
    def _one_entry_for_each_layer(self) -> NetworkConfig:
        if self.layers and len(self.layers) != len(self.hidden):
            raise ValueError(f"layers has {plural(len(self.layers), 'entry')} for {plural(len(self.hidden), 'layer')}")
        return self

    @model_validator(mode="after")
    def _skips_fit(self) -> NetworkConfig:
        if self.skips == "none":
            return self
        if self.connection == "delays":
            raise ValueError("skips: layers with a delay for each synapse hear the layer before them only; take 'none'")
        if len(self.hidden) < LEAST_LAYERS:
            leave = agreeing(len(self.hidden), "leaves", "leave")
            why = f"a skip leads past a layer, and {plural(len(self.hidden), 'layer')} {leave} none to pass by"
            raise ValueError(f"skips: {why}; give {LEAST_LAYERS} or more")
        return self

    @model_validator(mode="after")
    def _graph_fits(self) -> NetworkConfig:
        why = first_fault(self.graph, self.hidden) if self.graph else None
        if why is not None:
            raise ValueError(f"graph: {why}")
        return self

    @model_validator(mode="after")
    def _connection_fits(self) -> NetworkConfig:
        why = _said_by_its_connection(self)
        if why is not None:
            raise ValueError(why)
        return self

    def each_layer(self) -> list[NetworkConfig]:
        """The constants that hold for each layer, its own ones in place of the network's."""
        own = self.layers or (LayerConfig(),) * len(self.hidden)
        return [self._of_layer(layer) for layer in own]

    def _of_layer(self, own: LayerConfig) -> NetworkConfig:
        update = own.model_dump(exclude_none=True)
        if neurons.is_state_space(update.get("neuron", self.neuron)):
            update["connection"] = "none"
        return self.model_copy(update=update)


class TrainingConfig(_Section):
    """Optimizer, schedule and seed."""

    epochs: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    learning_rate: _Positive = 0.001
    pole_learning_rate: _Positive = 0.001
    """Of dt and poles of state-space neurons, without weight decay; it follows the schedule of the learning rate."""
    mode_learning_rate: _Positive | None = None
    """The same of what reads their modes: read-outs, direct weights, windows; None: the learning rate."""
    skip_learning_rate_factor: _Positive = 100.0
    """The skip logits learn this many times faster, in an optimizer group of their own without weight decay."""
    weight_decay: _NotNegative = 0.01
    schedule: Literal["constant", "cosine", "one-cycle"] = "constant"
    """The paper trains with one-cycle, CIFAR with cosine (section A.2); schedule.py has the equations."""
    gradient_clip: _Positive | None = None
    """Largest norm of the weights' gradient; the skip logits are left alone."""
    gradient: Literal["eventprop", "surrogate"] = "eventprop"
    """Of networks with delays, as is all up to the temperature: exact and event-based, or through the surrogate."""
    delay_gradient: Literal["central", "plain"] = "central"
    """How a delay's gradient is taken on the grid of steps (`kernels.delays.dynamics`)."""
    learn: Literal["both", "weights", "delays"] = "both"
    delay_learning_rate: _Positive = 0.1
    """Steps; it follows the schedule of the learning rate."""
    shift: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Each training sample's events move by -shift to shift - 1 places of pitch, an image by -shift to shift pixels
    (`training.augmentation`)."""
    blend: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of training samples that are blended with another one of their class (`training.augmentation`)."""
    learning_rate_annealing: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Both rates are multiplied by this after each epoch."""
    grazing: Annotated[float, Field(gt=0, le=1)] = 0.05
    """A spike whose membrane crosses with less than this share of theta for a slope counts as if it had so much."""
    first_spike_margin: _NotNegative = 2.0
    """Milliseconds by which the right neuron is to fire before the others."""
    rate_strength: _NotNegative = 0.0
    """k in the term k / 2 sum_n (n - rate_target)^2 of the loss, over the mean spikes n of each hidden neuron."""
    rate_target: _NotNegative = 14.0
    """Spikes of a hidden neuron in a sample."""
    revival: _NotNegative = 0.002
    """What all incoming weights of a neuron gain that has not fired in an epoch."""
    temperature: _Positive = 1.0
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: a sample of class c counts n / (C n_c) times in the loss, so that every class counts the same."""
    annealing: Annotated[float, Field(gt=0, le=1)] = 0.96
    """The temperature is multiplied by this after each epoch."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


class Config(_Section):
    """One training, whole."""

    data: DataConfig
    network: NetworkConfig = Field(default_factory=NetworkConfig)
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _temperature_stays_positive(self) -> Config:
        training = self.training
        if training.temperature * training.annealing**training.epochs < 1e-30:
            raise ValueError("the annealed temperature would reach zero; raise annealing or lower epochs")
        return self

    @model_validator(mode="after")
    def _only_events_move_first_spikes(self) -> Config:
        if self.training.gradient == "surrogate" and self.network.readout == "first-spike":
            raise ValueError("gradient: a surrogate does not move the first spike; take 'eventprop' or another readout")
        return self

    @model_validator(mode="after")
    def _delays_that_learn_have_somewhere_to_go(self) -> Config:
        network = self.network
        if self.training.learn == "delays" and network.connection == "delays":
            if not network.max_delay:
                raise ValueError("learn: no delay can change within a `max_delay` of 0; learn 'weights'")
            if not (network.hidden or network.readout_delays):
                raise ValueError("learn: its only delays are the readout's, which has none; learn 'weights'")
        return self


def _said_by_its_connection(config: NetworkConfig) -> str | None:
    """Which settings the configured connection cannot obey, and whether each layer's neurons go with it."""
    state_space = neurons.is_state_space(config.neuron)
    if state_space and config.connection != "none":
        return f"connection: '{config.neuron}' has no recurrent connection, not '{config.connection}'; take 'none'"
    for i, own in enumerate(config.each_layer()):
        if own.connection == "none" and not neurons.is_state_space(own.neuron):
            return f"connection: neuron '{own.neuron}' (layer {i}) needs a recurrent one, not 'none'; take 'asrc'"
    with extras.importing():
        from asrc_train.network.connections import connection  # its files know these settings

    return connection.file_of(config).why_not(config)


def from_recipe(path: Path, overrides: dict[str, dict[str, Any]]) -> Config:
    """A recipe file (TOML with sections data, network, training) with the overrides on top.

    If they change the epochs and not the annealing, its last epoch is as cold as the recipe's last (`as_cold`).

    Raises UnreadableFile for a file that is not there or no TOML, InvalidSetting naming the key and its line.
    """
    way_out = "give a recipe's name, or a TOML file with the sections data, network and training"
    text, content = toml_file.read(path, "recipe", way_out)
    try:
        return Config.model_validate(as_cold(_on_top(content, overrides), content, overrides))
    except ValidationError as error:
        problem = first_problem(error, Config)
        raise InvalidSetting(f"recipe '{path.name}'{_place(text, content, problem, overrides)}", problem.why) from error


def as_cold(
    merged: dict[str, Any], recipe: Mapping[str, Any], overrides: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """A recipe's content with overrides on top, its annealing such that E epochs end at the recipe's E0's temperature.

        annealing = recipe's annealing ^ ((E0 - 1) / (E - 1))

    A short training that ends warm still answers with its mixture, and the one span of each layer does not. As it is
    for one epoch, where the annealing is given, and where the settings do not fit, which is told when they are read.
    """
    asked = overrides.get("training", {})
    if "annealing" in asked or "epochs" not in asked:
        return merged
    try:
        stated, training = (TrainingConfig.model_validate(of.get("training", {})) for of in (recipe, merged))
    except ValidationError:
        return merged
    if training.epochs == stated.epochs or min(training.epochs, stated.epochs) == 1:
        return merged
    annealing = stated.annealing ** ((stated.epochs - 1) / (training.epochs - 1))
    return {**merged, "training": {**merged["training"], "annealing": annealing}}


def _on_top(content: dict[str, Any], overrides: dict[str, dict[str, Any]]) -> dict[str, Any]:
    merged = dict(content)
    for name, section in overrides.items():
        mine = content.get(name, {})
        merged[name] = {**mine, **section} if isinstance(mine, dict) else mine
    asked = overrides.get("network", {})
    if "neuron" in asked and "connection" not in asked and neurons.is_state_space(asked["neuron"]):
        merged["network"] = {**merged["network"], "connection": "none"}  # the recipe's is of the neurons that it names
    return merged


def _place(text: str, content: Mapping[str, Any], problem: Problem, overrides: Mapping[str, Mapping[str, Any]]) -> str:
    location, key = problem.location, problem.key
    if not location:  # settings of different sections that do not fit together
        return " with other settings on top" if any(overrides.values()) else ""
    section = str(location[0])
    on_top, inside = overrides.get(section, {}), location[1:]
    of_all = not inside and isinstance(content.get(section, {}), dict)  # settings that do not fit together
    if on_top and (of_all or (inside and inside[0] in on_top)):
        return f" with other settings on top, key '{key}'"
    line = line_of(text, location)
    return f", line {line}, key '{key}'" if line else f", key '{key}'"


def validated(content: Any, where: str) -> Config:
    """The configuration in plain data. Raises InvalidSetting naming the first key that does not fit."""
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        problem = first_problem(error, Config)
        raise InvalidSetting(f"{where}, key '{problem.key}'", problem.why) from error


def network_config(settings: Any, where: str) -> NetworkConfig:
    """The network's settings in plain data. Raises InvalidSetting naming the first key that does not fit."""
    try:
        return NetworkConfig.model_validate(settings)
    except ValidationError as error:
        problem = first_problem(error, NetworkConfig)
        raise InvalidSetting(problem.of(where), problem.why) from error
