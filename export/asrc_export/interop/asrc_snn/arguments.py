"""The `args.json` of the authors' code: what of it a network is rebuilt from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting, UnreadableFile
from asrc_core.forms.first_problem import first_problem

MAX_ARGUMENTS_BYTES = 2**20
WAY_OUT = "give the best.pth or last.pth that their main.py wrote, and the args.json beside it"
_Width = Annotated[int, Field(ge=1, le=65_536)]
_Span = Annotated[int, Field(ge=1, le=4096)]


class Arguments(BaseModel):
    """What their `args.json` must say for the network to be rebuilt; training options are left alone."""

    model_config = ConfigDict(extra="ignore", strict=True)

    task: str
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    model_version: Literal["SRC", "ASRC"]
    neuron: str
    neuron_channel_wise: bool
    threshold: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    hard_reset: bool
    decay_para: Annotated[float, Field(ge=0, le=1)]
    sg: str
    layers: Annotated[list[_Width], Field(min_length=1, max_length=100)]
    skip: list[_Span]
    network_wise: bool
    de_tau: Annotated[float, Field(gt=0, le=1)]
    bias: bool
    use_batchnorm: bool
    use_layernorm: bool
    input_dim: _Width
    output_dim: _Width
    time_window: Annotated[int, Field(ge=1, le=2**31 - 1)]


def read_arguments(path: str | Path) -> Arguments:
    """The arguments in a file. Raises UnreadableFile naming what is wrong."""
    kind = "arguments of the authors' code"
    try:
        if Path(path).stat().st_size > MAX_ARGUMENTS_BYTES:
            raise UnreadableFile(path, kind, "it is far larger than any args.json", WAY_OUT)
        return Arguments.model_validate(json.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        raise UnreadableFile(path, kind, error.strerror or str(error), WAY_OUT) from error
    except ValidationError as error:
        problem = first_problem(error, Arguments)
        raise UnreadableFile(path, kind, f"key '{problem.key}': {problem.why}", WAY_OUT) from error
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(path, kind, "it is not JSON", WAY_OUT) from error


def require_representable(arguments: Arguments) -> None:
    """Raise InvalidSetting for a network that ours cannot be, or arguments that contradict each other."""
    if arguments.neuron not in ("lif", "plif"):
        raise InvalidSetting(
            f"neuron '{arguments.neuron}'",
            "its gates and its conductance at each step have no place in our layer; lif and plif have",
        )
    if arguments.use_layernorm and not arguments.use_batchnorm:  # with both, their code applies batch norm alone
        raise InvalidSetting(
            "use_layernorm", "layer normalisation depends on each sample, so it folds into no weight; batch norm does"
        )
    if arguments.sg not in ("triangle", "exp", "rectangle", "gau"):
        raise InvalidSetting(f"sg '{arguments.sg}'", "whether it fires at the threshold or above it is not known")
    if len(arguments.skip) != len(arguments.layers):
        raise InvalidSetting(
            "skip", f"{plural(len(arguments.skip), 'entry')} for {plural(len(arguments.layers), 'layer')} in args.json"
        )
    if arguments.network_wise and arguments.model_version == "ASRC" and len(set(arguments.skip)) > 1:
        raise InvalidSetting("skip", "with network_wise one kernel serves all layers, but the entries differ")
