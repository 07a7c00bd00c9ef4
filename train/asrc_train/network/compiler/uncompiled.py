"""A call that `torch.compile` does not look into. Importing this loads the compiler: `compiling` does so within it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


@torch.compiler.disable  # type: ignore[untyped-decorator]  # PyTorch gives it no types
def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What the function returns."""
    return function(*args, **kwargs)
