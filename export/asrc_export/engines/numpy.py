"""The reference engine: the contract's own interpreter."""

from __future__ import annotations

from asrc_core.contract.interpreter import run

__all__ = ["run"]
