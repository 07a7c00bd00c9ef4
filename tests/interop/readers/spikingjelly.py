"""SpikingJelly: import_from_nir, one step at a time."""

import sys

HERE = sys.path.pop(0)  # this file has its package's name
from spikingjelly.activation_based.nir_exchange import import_from_nir  # noqa: E402

sys.path.insert(0, HERE)
import files  # noqa: E402

files.main(lambda graph, x: files.stepped(import_from_nir(graph), x))
