"""What asrc-export prints of a network that it has made: its layers, how far it is from the floats, its rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asrc_core.counts import agreeing, plural

if TYPE_CHECKING:
    from asrc_core.contract.network import IntegerNetwork
    from asrc_core.contract.neurons.kind import Parameters
    from asrc_core.contract.synapses.connection import Connection
    from asrc_export.exporting import Exported


def print_layers(exported: Exported) -> None:
    """Print the table of the layers: shapes, formats, and how far each accumulator is from saturating."""
    from tabulate import tabulate

    from asrc_core.contract.numbers import REGISTER_MAX, STATE_MAX
    from asrc_core.contract.ranges import headroom_bits
    from asrc_core.contract.synapses.connection import NOW

    network, observed = exported.network, exported.observed
    ranges = network.ranges

    def headroom(reach: int) -> str:
        return f"{headroom_bits(reach, STATE_MAX):.1f}"

    def sums(i: int) -> str:
        parts = [part.magnitude for part in (ranges[i].feedforward, ranges[i].recurrent) if part is not None]
        return f"{headroom_bits(max(parts), REGISTER_MAX):.1f}"

    def seen(i: int) -> str:
        return headroom(observed[i].state.magnitude) if observed else "no data"

    def saturation(i: int) -> str:
        if not ranges[i].may_saturate:
            return "impossible"
        return f"possible ({observed[i].saturations} seen)" if observed else "possible"

    rows: list[tuple[object, ...]] = [
        (
            layer.name,
            f"{_fan_in(network, i)} x {layer.neurons}",
            "; ".join(_lags(each) for each in layer.connections if each.taps != NOW),
            ", ".join(dict.fromkeys(str(each.weight_bits) for each in layer.connections)),
            " / ".join(str(each.exponent) for each in layer.connections),
            _spread(layer.neuron.parameters, "threshold"),
            _spread(layer.neuron.parameters, "decay") if layer.neuron.sends else "",
            sums(i),
            headroom(ranges[i].state.magnitude),
            seen(i),
            saturation(i),
        )
        for i, layer in enumerate(network.layers)
    ]
    headers = (
        "layer",
        "shape",
        "span",
        "bits",
        "exponents",
        "threshold",
        "decay",
        "sums, bits",
        "headroom, bits",
        "observed, bits",
        "saturation",
    )
    mappings = dict.fromkeys(each.mapping for layer in network.layers for each in layer.connections if each.taps != NOW)
    where = " and ".join(mappings) or "no delays"
    print(f"{network.target}, {where}, {plural(network.steps, 'step')}, {plural(network.synapses, 'synapse')}")
    print(tabulate(rows, headers, tablefmt="simple", disable_numparse=True, colalign=("left", *("right",) * 9, "left")))


def print_search(exported: Exported) -> None:
    """Say how far the chosen integers are from the float network, and how many weights lie beyond their grid."""
    answers = any(each.delays is not None for layer in exported.network.layers for each in layer.connections)
    for part in exported.measured:
        what = "logits off by" if answers or part is exported.measured[-1] else "spikes that differ, step for step:"
        print(f"{part.name}: {what} {part.error:.2%} (chosen without samples: {part.data_free:.2%})")
    for line in exported.rounding:
        if line.cut_off:
            print(
                f"note: {line.layer}: {line.cut_off:,} of its {line.parameter}s "
                f"{agreeing(line.cut_off, 'lies', 'lie')} beyond the grid and "
                f"{agreeing(line.cut_off, 'was', 'were')} cut off; "
                f"the largest error of any is {abs(line.error):.3g} (of {line.value:.3g})"
            )


def print_rounding(exported: Exported) -> None:
    """Print of each parameter the value that rounding changes most."""
    from tabulate import tabulate

    rows = [
        (r.layer, r.parameter, f"{r.value:.6g}", r.integer, f"{r.effective:.6g}", f"{r.error:.2e}", r.cut_off, r.moved)
        for r in exported.rounding
    ]
    headers = ("layer", "parameter", "float", "integer", "effective", "error", "cut off", "not to the nearest")
    print("rounding, worst case of each parameter:")
    print(tabulate(rows, headers, disable_numparse=True))


def _fan_in(network: IntegerNetwork, i: int) -> int:
    """Inputs of a layer's neurons that come from before it."""
    parts = zip(network.layers[i].connections, network.sources(i), strict=True)
    return sum(each.inputs for each, source in parts if source == "before")


def _lags(connection: Connection) -> str:
    """A connection's span, its taps, or the ends of its delays."""
    if connection.delays is not None:
        return f"{connection.lags[0]} to {connection.longest_lag}"
    if len(connection.taps) == 1:
        return str(connection.longest_lag)
    return ", ".join(f"{weight} x {span}" for span, weight in connection.taps)


def _spread(parameters: Parameters, name: str) -> str:
    """A parameter, or its ends where neurons differ; nothing if the kind has no such parameter."""
    import numpy as np

    if name not in parameters:
        return ""
    numbers = np.atleast_1d(parameters[name])
    low, high = int(numbers.min()), int(numbers.max())
    return str(low) if low == high else f"{low} to {high}"
