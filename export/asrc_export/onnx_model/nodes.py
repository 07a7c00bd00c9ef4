"""Writing an ONNX graph: nodes, constants and ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

if TYPE_CHECKING:
    from onnx import ValueInfoProto


class Port(NamedTuple):
    """An input or output: its name, its type, and its axes but for the leading ones."""

    name: str
    dtype: DTypeLike
    shape: tuple[int, ...]

    def declared(self, *axes: str) -> ValueInfoProto:
        """The declaration, the leading axes dynamic under the names given."""
        from onnx import helper

        return helper.make_tensor_value_info(self.name, _type(self.dtype), [*axes, *self.shape])


class Nodes:
    """Nodes and constants of a graph as they are written. Equal constants, and equal casts, are made once."""

    def __init__(self, prefix: str = "") -> None:
        self.nodes: list[Any] = []
        self._constants: dict[tuple[bytes, str, tuple[int, ...]], Any] = {}
        self._casts: dict[tuple[str, str], str] = {}
        self._prefix = prefix

    @property
    def initializers(self) -> list[Any]:
        """The constants."""
        return list(self._constants.values())

    def __call__(self, operator: str, *inputs: str, outputs: Sequence[str] = (), **attributes: Any) -> str:
        """Append a node; the name of its (first) output."""
        from onnx import helper

        produced = list(outputs) or [f"{self._prefix}{operator.lower()}{len(self.nodes)}"]
        self.nodes.append(helper.make_node(operator, inputs, produced, **attributes))
        return produced[0]

    def integers(self, values: int | Sequence[int] | NDArray[np.generic], dtype: DTypeLike) -> str:
        """A constant."""
        from onnx import numpy_helper

        array = np.asarray(values, dtype)
        key = sha256(array.tobytes()).digest(), array.dtype.str, array.shape
        if key not in self._constants:
            name = f"{self._prefix}constant{len(self._constants)}"
            # Shape () has to stay: `ascontiguousarray` would make it (1,).
            self._constants[key] = numpy_helper.from_array(array.copy(order="C"), name)
        return str(self._constants[key].name)

    def cast(self, a: str, dtype: DTypeLike) -> str:
        """The same values in another type."""
        key = a, np.dtype(dtype).str
        if key not in self._casts:
            self._casts[key] = self("Cast", a, to=_type(dtype))
        return self._casts[key]

    def zeros(self, batch: str, port: Port) -> str:
        """(B, *shape) zeros, B known when the model runs."""
        from onnx import numpy_helper

        shape = self("Concat", batch, self.integers(port.shape, np.int64), axis=0)
        return self("ConstantOfShape", shape, value=numpy_helper.from_array(np.zeros(1, port.dtype)))

    def finish(self, results: Mapping[str, str]) -> None:
        """Give tensors (values) the names (keys) of the graph's outputs, and drop what none of them needs."""
        produced = {name for node in self.nodes for name in node.output}
        names: dict[str, str] = {}
        for output, tensor in results.items():
            if tensor in produced and tensor not in names:
                names[tensor] = output
            else:  # an input handed on, or one tensor under two names
                self("Identity", tensor, outputs=[output])
        needed, kept = set(results), []
        for node in reversed(self.nodes):
            node.input[:] = [names.get(name, name) for name in node.input]
            node.output[:] = [names.get(name, name) for name in node.output]
            if needed & set(node.output):
                needed |= set(node.input)
                kept.append(node)
        self.nodes = kept[::-1]
        self._constants = {key: each for key, each in self._constants.items() if each.name in needed}


def _type(dtype: DTypeLike) -> int:
    from onnx import helper

    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
