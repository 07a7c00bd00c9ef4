"""The training loop and what surrounds it."""

from asrc_core import extras

extras.require("train", ["torch"])
