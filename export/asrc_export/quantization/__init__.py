"""From floats to integers: scales, roundings and bits, chosen, searched for or trained at."""

from asrc_core import extras

extras.require("train", ["torch"])
