"""Every operation of the contract as ONNX nodes, by itself: what NumPy computes, in 32 bits or in 64."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper

from asrc_core.contract.numbers import REGISTER_MAX, STATE_MAX, Ints
from asrc_core.contract.operations.intervals import Interval
from asrc_core.contract.operations.numpy import NumpyOperations
from asrc_core.contract.operations.operations import Operations
from asrc_export.onnx_model.nodes import Nodes, Port
from asrc_export.onnx_model.operations import Number, OnnxOperations

BATCH, NEURONS = 2, 6
SHIFTS = np.array([0, 1, 7, 12, 30, 31])
FACTORS = np.array([0, 1, 4096, 2048, 4095, 2047])
ENTRIES = np.array([5, -3, 0, 2**40, 127])
Values = dict[str, Any]
CASES: dict[str, Callable[[Operations, Values], Any]] = {
    "add": lambda o, v: o.add(v["narrow"], v["other"]),
    "add at the end of 32 bits": lambda o, v: o.add(v["full"], v["narrow"]),
    "add in 64 bits": lambda o, v: o.add(v["wide"], v["narrow"]),
    "add a constant": lambda o, v: o.add(v["narrow"], FACTORS),
    "add constants only": lambda o, v: o.add(FACTORS, 3),
    "saturate constants only": lambda o, v: o.add(o.saturate(o.add(FACTORS, 3), 16), v["narrow"]),
    "sub": lambda o, v: o.sub(v["narrow"], v["other"]),
    "sub from a constant": lambda o, v: o.sub(2**33, v["full"]),
    "mul": lambda o, v: o.mul(v["narrow"], v["other"]),
    "mul by constants in turn": lambda o, v: o.mul(-3, o.mul(o.shl(v["narrow"], SHIFTS // 4), FACTORS)),
    "mul by more than 32 bits of nothing": lambda o, v: o.mul(o.shl(o.mul(v["narrow"], 0), 40), 2**20),
    "mul a condition": lambda o, v: o.mul(o.ge(v["narrow"], v["other"]), FACTORS),
    "shl": lambda o, v: o.shl(v["narrow"], 6),
    "shl, neuron by neuron": lambda o, v: o.shl(v["narrow"], SHIFTS),
    "floor": lambda o, v: o.floor(v["narrow"], 5),
    "floor by 0": lambda o, v: o.floor(v["narrow"], 0),
    "floor, neuron by neuron": lambda o, v: o.floor(v["full"], SHIFTS),
    "floor in 64 bits": lambda o, v: o.floor(v["wide"], SHIFTS),
    "floor beyond the width": lambda o, v: o.floor(v["narrow"], 62),
    "toward_zero": lambda o, v: o.toward_zero(v["narrow"], 5),
    "toward_zero, neuron by neuron": lambda o, v: o.toward_zero(v["full"], SHIFTS),
    "toward_zero in 64 bits": lambda o, v: o.toward_zero(v["wide"], SHIFTS),
    "toward_zero beyond the width": lambda o, v: o.toward_zero(v["narrow"], 62),
    "decay": lambda o, v: o.toward_zero(o.mul(v["narrow"], 2047), 12),
    "decay in lowest terms": lambda o, v: o.toward_zero(o.mul(v["narrow"], 3072), 12),
    "decay of nothing": lambda o, v: o.toward_zero(o.mul(v["narrow"], 4096), 12),
    "decay of all": lambda o, v: o.toward_zero(o.mul(v["narrow"], 0), 12),
    "decay, neuron by neuron": lambda o, v: o.toward_zero(o.mul(v["narrow"], FACTORS), 12),
    "decay, all of them even": lambda o, v: o.toward_zero(o.mul(v["narrow"], FACTORS & ~1), SHIFTS),
    "saturate": lambda o, v: o.saturate(v["full"]),
    "saturate in 64 bits": lambda o, v: o.saturate(v["wide"]),
    "saturate to 8 bits": lambda o, v: o.saturate(v["narrow"], 8),
    "min": lambda o, v: o.min(v["narrow"], v["wide"]),
    "min with a constant": lambda o, v: o.min(FACTORS, v["narrow"]),
    "max": lambda o, v: o.max(v["narrow"], v["wide"]),
    "ge": lambda o, v: o.ge(v["narrow"], v["other"]),
    "ge in 64 bits": lambda o, v: o.ge(v["wide"], v["full"]),
    "ge a constant": lambda o, v: o.ge(v["narrow"], FACTORS),
    "and": lambda o, v: o.and_(v["yes"], o.ge(v["narrow"], 0)),
    "or": lambda o, v: o.or_(o.ge(v["narrow"], 0), v["yes"]),
    "not": lambda o, v: o.add(o.not_(v["yes"]), o.not_(o.ge(v["narrow"], 0))),
    "select": lambda o, v: o.select(v["yes"], v["narrow"], v["wide"]),
    "select a constant": lambda o, v: o.select(o.ge(v["narrow"], 0), FACTORS, 0),
    "select by what is chosen": lambda o, v: o.select(o.ge(v["full"], 9), o.sub(v["full"], 9), v["full"]),
    "push": lambda o, v: o.push(o.push(v["word"], v["yes"]), o.ge(v["narrow"], 0)),
    "push a constant": lambda o, v: o.push(v["word"], 1),
    "mask": lambda o, v: o.mask(v["word"], 32),
    "mask, neuron by neuron": lambda o, v: o.mask(v["word"], np.append(SHIFTS[:-1], 32)),
    "mask of nothing": lambda o, v: o.ge(o.mask(v["word"], 0), 1),
    "table": lambda o, v: o.table(v["index"], ENTRIES),
    "table of a condition": lambda o, v: o.table(o.ge(v["narrow"], 0), ENTRIES[:2]),
}
LIMITS = {
    "narrow": (-STATE_MAX, STATE_MAX),
    "other": (-STATE_MAX, STATE_MAX),
    "full": (-REGISTER_MAX, REGISTER_MAX),
    "wide": (-(2**46), 2**46),
    "word": (0, 2**32 - 1),
    "index": (0, len(ENTRIES) - 1),
    "yes": (0, 1),
}


def drawn(low: int, high: int) -> st.SearchStrategy[Ints]:
    """Values within the limits, those at which roundings and signs turn over more often."""
    edges = {low, high, *(sign * (2**k + d) for k in (0, 5, 7, 12, 31, 40) for d in (-1, 0, 1) for sign in (-1, 1))}
    inside = st.sampled_from(sorted(each for each in edges if low <= each <= high))
    values = st.lists(st.one_of(inside, st.integers(low, high)), min_size=BATCH * NEURONS, max_size=BATCH * NEURONS)
    return values.map(lambda drawn: np.array(drawn, np.int64).reshape(BATCH, NEURONS))


INPUTS = st.fixed_dictionaries({name: drawn(*ends) for name, ends in LIMITS.items()})


def computed(
    inputs: dict[str, Ints], names: Collection[str] = CASES.keys()
) -> tuple[dict[str, NDArray[Any]], dict[str, int]]:
    """By ONNX Runtime, what these cases give and how often they saturate, on inputs with the tightest bounds."""
    g, narrow = Nodes(), ("narrow", "other", "full", "index", "yes")
    types = {name: np.int32 if name in narrow else np.int64 for name in inputs}
    values = {
        name: Number(name, types[name], Interval(array.min(axis=0), array.max(axis=0)))
        for name, array in inputs.items()
    }
    results, saturated = {}, {}
    for i, name in enumerate(names):
        o = OnnxOperations(g, "narrow")
        results[f"case{i}"] = o.typed(o.spread(CASES[name](o, values)), np.int64)
        saturated[name] = [f"saturated{i}_{j}" for j in range(len(o.saturated))]
        results |= dict(zip(saturated[name], o.saturated, strict=True))
    g.finish(results)
    types_of = {name: np.uint8 if name.startswith("saturated") else np.int64 for name in results}
    model = helper.make_model(
        helper.make_graph(
            g.nodes,
            "operations",
            [Port(name, dtype, (NEURONS,)).declared("B") for name, dtype in types.items()],
            [Port(name, dtype, (NEURONS,)).declared("B") for name, dtype in types_of.items()],
            g.initializers,
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # not of inputs that no case needs
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    given = {each.name: inputs[each.name].astype(types[each.name]) for each in session.get_inputs()}
    outputs = dict(zip(results, session.run(list(results), given), strict=True))
    found = {name: outputs[f"case{i}"] for i, name in enumerate(names)}
    return found, {name: sum(int(outputs[each].sum()) for each in parts) for name, parts in saturated.items()}


@settings(max_examples=40, deadline=None)
@given(INPUTS)
def test_every_operation_is_numpys(inputs: dict[str, Ints]) -> None:
    found, saturations = computed(inputs)
    for name, case in CASES.items():
        o = NumpyOperations()
        expected = np.broadcast_to(case(o, inputs), (BATCH, NEURONS))
        np.testing.assert_array_equal(found[name], expected, err_msg=name)
        assert saturations[name] == o.saturations, name


def test_64_bits_are_compared_as_a_whole() -> None:
    """ONNX Runtime's Min, Max and Clip are wrong for some of these where processors compare halves of numbers."""
    ends = sorted(sign * (2**k + d) for k in range(22, 45) for d in (-1, 0, 1) for sign in (-1, 1))
    for first in range(0, len(ends) - BATCH * NEURONS, BATCH * NEURONS):
        inputs = {name: np.full((BATCH, NEURONS), low) for name, (low, _) in LIMITS.items()}
        inputs["wide"] = np.array(ends[first : first + BATCH * NEURONS]).reshape(BATCH, NEURONS)
        inputs["narrow"] = np.flip(inputs["wide"]).clip(-STATE_MAX, STATE_MAX)
        found, saturations = computed(inputs, ("min", "max", "saturate in 64 bits"))
        for name, values in found.items():
            o = NumpyOperations()
            np.testing.assert_array_equal(values, CASES[name](o, inputs), err_msg=name)
            assert saturations[name] == o.saturations


def written(case: Callable[[Operations, Values], Any], low: int, high: int) -> list[str]:
    """Operators of the nodes that an int32 value within the bounds needs, `Identity` for the value itself."""
    g = Nodes()
    bounds = Interval(np.full(NEURONS, low), np.full(NEURONS, high))
    g.finish({"result": case(OnnxOperations(g, "a"), {"a": Number("a", np.int32, bounds)}).name})
    return [node.op_type for node in g.nodes]


@pytest.mark.parametrize(
    ("factor", "operators"),
    [(2048, ["Div"]), (3072, ["Mul", "Div"]), (4096, ["Identity"]), (2047, ["Cast", "Mul", "Div"])],
)
def test_a_decay_in_lowest_terms_often_fits_in_32_bits(factor: int, operators: list[str]) -> None:
    assert written(lambda o, v: o.toward_zero(o.mul(v["a"], factor), 12), -STATE_MAX, STATE_MAX) == operators


def test_a_saturation_that_changes_nothing_takes_no_node() -> None:
    assert written(lambda o, v: o.saturate(v["a"], 8), -127, 127) == ["Identity"]
    assert written(lambda o, v: o.saturate(v["a"], 8), -128, 127) == ["Clip"]


def test_a_register_has_64_bits_only_where_32_are_not_proven() -> None:
    assert written(lambda o, v: o.add(v["a"], 1), 0, REGISTER_MAX - 1) == ["Add"]
    assert written(lambda o, v: o.add(v["a"], 1), 0, REGISTER_MAX) == ["Cast", "Add"]


def test_what_no_output_needs_is_dropped_and_one_tensor_has_several_names() -> None:
    g = Nodes()
    kept = g("Add", "a", g.integers(1, np.int32))
    g("Mul", kept, g.integers(7, np.int32))
    g.finish({"first": kept, "second": kept, "handed_on": "a"})
    assert [(node.op_type, node.input[0], node.output[0]) for node in g.nodes] == [
        ("Add", "a", "first"),
        ("Identity", "first", "second"),
        ("Identity", "a", "handed_on"),
    ]
    assert len(g.initializers) == 1
