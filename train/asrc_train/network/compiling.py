"""Layers under `torch.compile`: they run as they are, whatever stands around them is compiled.

A layer's kernels are native code or walk over time, of which the compiler would unroll every step. So a graph ends
before a layer and another begins behind it; the layer's numbers are those that it has without the compiler.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import torch

Self = TypeVar("Self")
Given = ParamSpec("Given")
Made = TypeVar("Made")


def as_it_is(
    method: Callable[Concatenate[Self, Given], Made],
) -> Callable[Concatenate[Self, Given], Made]:
    """The method, which `torch.compile` calls and does not look into."""

    @wraps(method)
    def called(self: Self, *args: Given.args, **kwargs: Given.kwargs) -> Made:
        if torch.compiler.is_compiling():
            from asrc_train.network.uncompiled import call  # loads the compiler, which takes seconds

            return call(method, self, *args, **kwargs)
        return method(self, *args, **kwargs)

    return called
