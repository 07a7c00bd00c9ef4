"""Derivatives of what has none."""

from asrc_core import extras

extras.require("train", ["torch"])
