"""A call that `torch.compile` does not look into. Importing this loads the compiler: `compiling` does so within it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

Given = ParamSpec("Given")
Made = TypeVar("Made")


@torch.compiler.disable
def call(function: Callable[Given, Made], *args: Given.args, **kwargs: Given.kwargs) -> Made:
    """What the function returns."""
    return function(*args, **kwargs)
