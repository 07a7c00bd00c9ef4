"""Norse: from_nir with its own step, one step at a time."""

import sys

HERE = sys.path.pop(0)  # this file has its package's name
import norse.torch as norse  # noqa: E402

sys.path.insert(0, HERE)
import files  # noqa: E402

files.main(lambda graph, x: files.stepped(norse.from_nir(graph, ignore_warnings=True), x))
