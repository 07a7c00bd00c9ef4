"""Writing an ONNX graph: nodes, constants and ports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

if TYPE_CHECKING:
    from onnx import ValueInfoProto

Port = tuple[str, DTypeLike, int]  # name, type, width of the last axis


def value(port: Port, *axes: str) -> ValueInfoProto:
    """The declaration of an input or output, its leading axes dynamic under the names given."""
    from onnx import helper

    name, dtype, width = port
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), [*axes, width])


class Nodes:
    """Nodes and constants of a graph as they are written."""

    def __init__(self, prefix: str) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._prefix = prefix

    def __call__(self, operator: str, *inputs: str, outputs: Sequence[str] = (), **attributes: Any) -> str:
        """Append a node; the name of its (first) output."""
        from onnx import helper

        produced = list(outputs) or [f"{self._prefix}{operator.lower()}{len(self.nodes)}"]
        self.nodes.append(helper.make_node(operator, inputs, produced, **attributes))
        return produced[0]

    def integers(self, values: int | Sequence[int] | NDArray[np.generic], dtype: DTypeLike = np.int32) -> str:
        """A constant."""
        from onnx import numpy_helper

        name = f"{self._prefix}constant{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype), name))
        return name

    def cast(self, a: str, dtype: DTypeLike, output: str | None = None) -> str:
        """The same values in another type."""
        from onnx import helper

        to = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self("Cast", a, outputs=[output] if output else (), to=to)

    def split(self, a: str, widths: Sequence[int], outputs: str | Sequence[str]) -> Sequence[str]:
        """The columns of ``a``, group by group, under the names given or numbered ones."""
        names = [f"{self._prefix}{outputs}{i}" for i in range(len(widths))] if isinstance(outputs, str) else outputs
        self("Split", a, self.integers(widths, np.int64), outputs=names, axis=1)
        return names

    def zeros(self, batch: str, width: int, dtype: DTypeLike) -> str:
        """(B, width) zeros, B known when the model runs."""
        from onnx import numpy_helper

        shape = self("Concat", batch, self.integers([width], np.int64), axis=0)
        return self("ConstantOfShape", shape, value=numpy_helper.from_array(np.zeros(1, dtype)))
