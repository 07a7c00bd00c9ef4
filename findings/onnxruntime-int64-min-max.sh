#!/usr/bin/env bash
# ONNX Runtime 1.23.2 on x86-64: Min and Max of int64 tensors are wrong for some pairs of large numbers.
#
# Expected (ONNX operators Min and Max): the smaller and the greater of two numbers, element by element, also for int64.
# Seen: of 100,000 pairs drawn evenly from -2^40 to 2^40, about one in a thousand comes out as the other number of the
# pair; numbers within 32 bits are always right. Where the upper 32 bits are equal, the lower ones decide, and those
# seem to be compared with their sign. GreaterOrEqual followed by Where is right for every pair, and so is the way out.
# Seen on an AMD EPYC with AVX2 and without AVX-512; a processor that compares 64 bits at once may show nothing.
#
# Fails if the behaviour is another one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.23.2
"$folder/venv/bin/python" - <<'PYTHON'
import platform

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper


def computed(operators, a, b):
    """The output of a graph of the operators over two int64 inputs."""
    nodes = [helper.make_node(operator, inputs, outputs) for operator, inputs, outputs in operators]
    ports = [helper.make_tensor_value_info(name, TensorProto.INT64, [len(a)]) for name in ("a", "b", "y")]
    graph = helper.make_graph(nodes, "g", ports[:2], ports[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["y"], {"a": a, "b": b})[0]


print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}, {platform.machine()}")
a, b = np.random.default_rng(0).integers(-(2**40), 2**40, (2, 100_000))
wrong = 0
for operator, expected in (("Min", np.minimum(a, b)), ("Max", np.maximum(a, b))):
    y = computed([(operator, ["a", "b"], ["y"])], a, b)
    where = np.flatnonzero(y != expected)
    wrong += len(where)
    print(f"{operator}: {len(where)} of {len(a)} wrong")
    for i in where[:3]:
        print(f"  {operator}({a[i]}, {b[i]}) = {y[i]}; upper halves {a[i] >> 32} and {b[i] >> 32}")
    narrow = [each % 2**31 for each in (a, b)]
    assert (computed([(operator, ["a", "b"], ["y"])], *narrow) == getattr(np, operator.lower() + "imum")(*narrow)).all()

right = computed([("GreaterOrEqual", ["a", "b"], ["c"]), ("Where", ["c", "a", "b"], ["y"])], a, b)
assert (right == np.maximum(a, b)).all(), "GreaterOrEqual and Where are wrong, too"
print("GreaterOrEqual and Where: all right")
assert wrong, "Min and Max are right: the behaviour has changed, or this processor compares 64 bits at once"
PYTHON
