"""A network trained in a loop of one's own: what it computes is looked at, and taken if it is layers and a readout.

Taken are a `SkipRecurrentNetwork`, a module that holds one and returns its logits, and a module that holds
`SkipRecurrentLayer`s, each fed with the spikes of the one before, and one `nn.Linear`, the readout:

    logits = g sum_t (W_o s[t] + h b_o),   g = 1 or 1 / T,   h = 1 or 1 / T     s: the last layer's spikes

that is, the readout's result summed or averaged over the steps, or the readout of summed or averaged spikes. Nothing is
believed of a module's code: it runs on samples, in evaluation mode, what each layer gets and gives is watched, and the
logits are compared with the equation's. It may take the samples as they are or as real values (x - zero) * scale, time
first (T, B, channels) or samples first. Whatever else it does is refused, and named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from asrc_core.counts import plural
from asrc_core.errors import AsrcError, InvalidData, InvalidSetting
from asrc_train.network.delay_network import DelayNetwork
from asrc_train.network.model import SkipRecurrentLayer, SkipRecurrentNetwork
from asrc_train.network.state_space.layer import StateSpaceLayer
from asrc_train.settings.config import NetworkConfig

SAMPLES = 8
"""At most so many samples are run to look at what a module computes."""


class Sequenced(NamedTuple):
    """Layers, each fed by the one before, and a readout that is summed over time: W_o (C, N) and b_o (C,).

    With skips a layer is fed by the one before that, too. ``config``: the settings of the `SkipRecurrentNetwork` that
    they are, if they are one.
    """

    layers: tuple[SkipRecurrentLayer | StateSpaceLayer, ...]
    weight: Tensor
    bias: Tensor
    config: NetworkConfig | None = None


@dataclass
class _Watched:
    """What one run of a module showed: every layer's input and output, in the order of the calls."""

    calls: list[tuple[nn.Module, Tensor, Any]] = field(default_factory=list)
    mixture: bool = False


def require_module(module: object) -> None:
    """Raise InvalidSetting for what is no module."""
    if not isinstance(module, nn.Module):
        raise InvalidSetting("`model`", f"it is a {type(module).__name__}; give a checkpoint, its path or an nn.Module")


def sequenced(module: nn.Module, x: NDArray[np.generic] | None, scale: float, zero: float) -> Sequenced:
    """What the module computes, looked at on samples x (n, T, channels), integers.

    No samples are needed for a `SkipRecurrentNetwork`, which is known to be such. Raises InvalidSetting, naming the
    layer or the module that is in the way; InvalidData for samples that the module does not run on.
    """
    require_module(module)
    if type(module) is SkipRecurrentNetwork:
        return _of_network(module)
    found = _parts(module)
    if x is None:
        why = f"what '{type(module).__name__}' computes is looked at on samples"
        raise InvalidSetting("samples", f"{why}; give some, integers (n, T, channels)")
    # As many steps as samples would hide which axis is which; the first may all be of one class.
    count = min(SAMPLES, len(x), max(1, x.shape[1] - 1))
    some = x[np.linspace(0, len(x) - 1, count).astype(np.int64)]
    if isinstance(found, SkipRecurrentNetwork):
        _require_passed_on(module, found, some, scale, zero)
        return _of_network(found)
    layers, readout = found
    return _watched_sequence(module, layers, readout, some, scale, zero)


def _of_network(network: SkipRecurrentNetwork) -> Sequenced:
    layers = tuple(network.hidden_layers())
    return Sequenced(layers, network.readout.weight.detach(), network.readout.bias.detach(), network.config)


def _parts(module: nn.Module) -> SkipRecurrentNetwork | tuple[list[SkipRecurrentLayer], nn.Linear]:
    """The one network within, or the layers and the one readout; whatever else has parameters is refused by name."""
    what = f"module '{type(module).__name__}'"
    networks = [each for each in module.modules() if isinstance(each, SkipRecurrentNetwork)]
    if len(networks) > 1:
        raise InvalidSetting(what, f"it holds {len(networks)} SkipRecurrentNetworks; export them one by one")
    if networks and type(networks[0]) is not SkipRecurrentNetwork:
        why = f"'{type(networks[0]).__name__}' is a network of its own kind"
        raise InvalidSetting(what, f"{why}; hold a SkipRecurrentNetwork, or layers and a readout")
    tops: tuple[type[nn.Module], ...] = (SkipRecurrentNetwork,) if networks else (SkipRecurrentLayer, nn.Linear)
    outside = list(_outside(module, tops))
    for name, each in outside:
        if not isinstance(each, tops) and any(True for _ in each.parameters(recurse=False)):
            why = (
                f"'{name or 'itself'}' ({type(each).__name__}) has parameters that no layer of an integer network holds"
            )
            raise InvalidSetting(what, f"{why}; {_instead(module)}")
    if networks:
        return networks[0]
    layers = [each for _, each in outside if isinstance(each, SkipRecurrentLayer)]
    readouts = [(name, each) for name, each in outside if isinstance(each, nn.Linear)]
    if not layers:
        raise InvalidSetting(what, "it holds no SkipRecurrentLayer; build it of them, from asrc_train")
    if len(readouts) != 1:
        listed = f" ({', '.join(name for name, _ in readouts)})" if readouts else ""
        raise InvalidSetting(
            what, f"it holds {len(readouts)} nn.Linear{listed} beside its layers; one, the readout, fits"
        )
    return layers, readouts[0][1]


def _instead(module: nn.Module) -> str:
    """What to do about parameters that stand outside of layers that can be taken by themselves."""
    for each in module.modules():
        if isinstance(each, StateSpaceLayer):
            return "build state-space layers as a SkipRecurrentNetwork with their neuron and connection 'none'"
        if isinstance(each, DelayNetwork):
            return "train networks with delays with asrc_train.fit, whose checkpoint is exported"
    return "train without it, or fold it into the layer before"


def _outside(module: nn.Module, tops: tuple[type[nn.Module], ...], name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The module and all within it, but not what stands inside of ``tops``."""
    yield name, module
    if not isinstance(module, tops):
        for below, child in module.named_children():
            yield from _outside(child, tops, f"{name}.{below}" if name else below)


def _watched_sequence(
    module: nn.Module,
    layers: Sequence[SkipRecurrentLayer],
    readout: nn.Linear,
    x: NDArray[np.generic],
    scale: float,
    zero: float,
) -> Sequenced:
    what = f"module '{type(module).__name__}'"
    names = {each: name for name, each in module.named_modules()}
    first, y, seen = _run(module, layers, x, scale, zero)
    called = [each for each, _, _ in seen.calls]
    for layer in layers:
        if called.count(layer) != 1:
            raise InvalidSetting(what, f"layer '{names[layer]}' runs {called.count(layer)} times a sample; once fits")
    if seen.mixture:
        why = "a layer is given a temperature in evaluation mode, and a chip has the spans that weigh most"
        raise InvalidSetting(what, f"{why}; pass None there")
    fed, source = first, "the samples"
    ordered = []
    for watched, got, gave in seen.calls:
        assert isinstance(watched, SkipRecurrentLayer), "these are watched"
        ordered.append(watched)
        if not _alike(got, fed):
            raise InvalidSetting(what, f"layer '{names[watched]}' is not fed with what {source} give, step for step")
        fed, source = gave, f"the spikes of '{names[watched]}'"
    counts, steps = fed.double().sum(0), len(fed)
    weight = readout.weight.detach().double()
    bias = torch.zeros(len(weight), dtype=torch.float64, device=weight.device)
    bias = bias if readout.bias is None else readout.bias.detach().double()
    if not isinstance(y, Tensor) or y.shape != (counts.shape[0], len(weight)):
        given = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
        raise InvalidSetting(what, f"it returns {given}; return the logits (samples, classes)")
    if not counts.any():
        why = f"'{names[ordered[-1]]}', the last layer, never fires on the {plural(len(counts), 'sample')} looked at"
        raise InvalidSetting("samples", f"{why}, which hides how it is read out; give some on which it does")
    for g, h in ((1.0, 1.0), (1.0, 1 / steps), (1 / steps, 1.0)):
        expected = g * (counts @ weight.T + steps * h * bias)
        if torch.allclose(y.double(), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max() or 1)):
            return Sequenced(tuple(ordered), g * weight, g * h * bias)
    why = f"what it returns is not '{names[readout]}' of the last layer's spikes, summed or averaged over the steps"
    raise InvalidSetting(what, f"{why}; return such logits, without a softmax")


def _require_passed_on(
    module: nn.Module, network: SkipRecurrentNetwork, x: NDArray[np.generic], scale: float, zero: float
) -> None:
    """Raise InvalidSetting unless the module returns the logits of the network within for the samples."""
    what = f"module '{type(module).__name__}'"
    first, y, seen = _run(module, [network], x, scale, zero)
    if len(seen.calls) != 1 or seen.mixture:
        raise InvalidSetting(what, "its SkipRecurrentNetwork does not run once a sample, without a temperature")
    _, got, gave = seen.calls[0]
    if not _alike(got, first):
        raise InvalidSetting(what, "its SkipRecurrentNetwork is not fed with the samples")
    if not isinstance(y, Tensor) or not torch.equal(y, gave):
        raise InvalidSetting(what, "it does not return the logits of its SkipRecurrentNetwork as they are")


def _run(
    module: nn.Module, watched: Sequence[nn.Module], x: NDArray[np.generic], scale: float, zero: float
) -> tuple[Tensor, Any, _Watched]:
    """The real values (T, n, channels), what the module returns for them, and what its layers got and gave.

    The module is asked with real values and with the integers, time first and samples first, until its first layer
    gets the real values. Raises InvalidData if there is no such way.
    """
    like = next(module.parameters())
    raw = torch.from_numpy(np.ascontiguousarray(x)).to(like.device).to(like.dtype)
    real = (raw - zero) * scale
    first, problems = real.transpose(0, 1), []
    last: tuple[Any, _Watched] | None = None
    for asked in (first, real, raw.transpose(0, 1), raw):
        try:
            with _watching(module, watched) as seen, torch.no_grad():
                y = module(asked)
        except AsrcError as error:
            problems.append(str(error))
            continue
        except Exception as error:  # of the module's own code, whatever it raises
            problems.append(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
            continue
        last = last or (y, seen)
        if seen.calls and _alike(seen.calls[0][1], first):
            return first, y, seen
    if last is not None:
        return (first, *last)
    why = (
        f"'{type(module).__name__}' does not run on samples of {plural(x.shape[1], 'step')} of {x.shape[2]} "
        f"({problems[0]})"
    )
    raise InvalidData("samples", why, "give integers (n, T, channels) that it takes")


def _alike(got: Tensor, expected: Tensor) -> bool:
    return got.shape == expected.shape and torch.allclose(got, expected.to(got), rtol=1e-5, atol=1e-6)


@contextmanager
def _watching(module: nn.Module, watched: Sequence[nn.Module]) -> Iterator[_Watched]:
    """In evaluation mode, every call of the watched modules is kept; afterwards all is as it was."""
    seen = _Watched()
    modes = {each: each.training for each in module.modules()}

    def keep(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        seen.calls.append((layer, args[0] if args else kwargs["x"], output))
        seen.mixture |= (args[1] if len(args) > 1 else kwargs.get("temperature")) is not None

    hooks = [each.register_forward_hook(keep, with_kwargs=True) for each in watched]
    module.eval()
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
        for each, training in modes.items():
            each.training = training
