"""Layers under `torch.compile`: they run as they are, whatever stands around them is compiled.

A layer's kernels are native code or walk over time, of which the compiler would unroll every step. So a graph ends
before a layer and another begins behind it; the layer's numbers are those that it has without the compiler.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import torch

Method = TypeVar("Method", bound=Callable[..., Any])


def as_it_is(method: Method) -> Method:
    """The method, which `torch.compile` calls and does not look into."""

    @wraps(method)
    def called(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():
            from asrc_train.network.compiler.uncompiled import call  # loads the compiler, which takes seconds

            return call(method, *args, **kwargs)
        return method(*args, **kwargs)

    return cast(Method, called)
