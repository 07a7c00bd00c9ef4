"""NIR files: the metadata that ours carry, writing, and reading those of strangers.

A NIR file is HDF5, and HDF5 can claim any size, link to other files and hold Python objects. So every link and every
data set is looked at before the package `nir` reads a value.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from asrc_core import extras
from asrc_core.errors import AsrcError, UnreadableFile
from asrc_core.files.atomic import replacing

if TYPE_CHECKING:
    import h5py
    import nir

MARK = "asrc"
"""Key of the graph's metadata under which our files state the version of what follows."""
VERSION = "1"
MAX_BYTES = 2**30
MAX_ITEMS = 50_000
MAX_DEPTH = 12
_KIND = "NIR graph"
_WAY_OUT = "write it again with nir.write"
_NEURONS = {"CubaLI", "CubaLIF", "I", "IF", "LI", "LIF"}
_OF_ANY_SHAPE = {"type", "w_in"}


def package() -> Any:
    """The module `nir`. Raises ExtraMissing with the line that installs it."""
    with extras.importing("nir"):
        import nir
    return nir


def write(graph: nir.NIRGraph, path: str | Path) -> None:
    """Write the graph; what stands at ``path`` is replaced only once the new file is whole. Raises UnwritableOutput."""
    with replacing(path) as temporary:
        package().write(temporary, graph)


def read(path: str | Path) -> nir.NIRGraph:
    """Read a graph, its shapes not yet checked against one another.

    Raises UnreadableFile for what is no NIR file, is damaged, larger than MAX_BYTES, holds objects or links, a node
    of a type that NIR lacks or with parameters of mixed shape (the node is named); ExtraMissing.
    """
    nir = package()
    import h5py

    file = Path(path)
    try:
        if file.stat().st_size > MAX_BYTES:
            refuse(path, f"it has more than {MAX_BYTES} bytes, more than any network of ours")
        if not h5py.is_hdf5(file):
            refuse(path, "it is not HDF5, or it is truncated")
        with h5py.File(file, "r") as content:
            inspection = _Inspection(path, set(nir.ir.__all__))
            inspection.group(content, "", 0, "file")
            kind = inspection.type_of(content["node"], "node") if "node" in content else None
            if kind != "NIRGraph":
                refuse(path, f"it holds {f'a single {kind}' if kind else 'no node'}, not a graph")
            graph = nir.ir.dict2NIRNode(_unchecked(nir.serialization.hdf2dict(content["node"])))
    except AsrcError:
        raise
    except OSError as error:
        refuse(path, error.strerror or "it is damaged")
    except Exception as error:  # h5py and nir raise KeyError, ValueError, AssertionError, RuntimeError, ...
        refuse(path, f"it is not a NIR graph ({type(error).__name__}: {_short(error)})")
    return graph


def _unchecked(node: dict[str, Any]) -> dict[str, Any]:
    """A graph's dictionary without type checks, also in its subgraphs: short parameters and shapes are ours to judge.

    Raises ValueError for one that brings the key of that argument itself.
    """
    if node.get("type") != "NIRGraph":
        return node
    if "type_check" in node:
        raise ValueError("a graph has a key 'type_check'")
    inner = {name: _unchecked(each) for name, each in node["nodes"].items()}
    return {**node, "nodes": inner, "type_check": False}


_BELOW = {
    ("file", "node"): "node",
    ("node", "nodes"): "nodes",
    ("node", "metadata"): "metadata",
}
"""What a group is, by what it lies in and its name. All in `nodes` are nodes, nothing below metadata is one."""


def _role(within: str, name: str) -> str:
    if within in ("nodes", "metadata"):
        return {"nodes": "node", "metadata": "metadata"}[within]
    return _BELOW.get((within, name), "other")


class _Inspection:
    """One walk over a file, counting what it holds."""

    def __init__(self, path: str | Path, types: set[str]) -> None:
        self.path, self.types = path, types
        self.items = self.bytes = 0

    def group(self, group: h5py.Group, at: str, depth: int, role: str) -> None:
        import h5py

        if depth > MAX_DEPTH:
            refuse(self.path, f"its groups are nested deeper than {MAX_DEPTH} at '{at}'")
        shapes: dict[str, tuple[int, ...]] = {}
        for name in group:
            self.items += 1
            where = f"{at}/{name}"
            if self.items > MAX_ITEMS:
                refuse(self.path, f"it holds more than {MAX_ITEMS} items")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                refuse(self.path, f"'{where}' is a link to elsewhere")
            item = group[name]
            if isinstance(item, h5py.Group):
                self.group(item, where, depth + 1, _role(role, name))
            elif isinstance(item, h5py.Dataset):
                self.dataset(item, where)
                if name not in _OF_ANY_SHAPE:
                    shapes[name] = item.shape
            else:
                refuse(self.path, f"'{where}' is neither a group nor a data set")
        if role == "node" and "type" not in group:
            for name in (name for name in group if isinstance(group[name], h5py.Group) and "type" in group[name]):
                why = f"HDF5 took the slash in the name of node '{at.rsplit('/', 1)[-1]}/{name}' for a group"
                raise UnreadableFile(self.path, _KIND, why, "name nodes without slashes and write it again")
        kind = self.type_of(group, at) if role == "node" else None
        if kind in _NEURONS and len(set(shapes.values())) > 1:
            listed = ", ".join(f"{name} {shape}" for name, shape in sorted(shapes.items()))
            refuse(self.path, f"node '{at.rsplit('/', 1)[-1]}' has parameters of mixed shape ({listed})")

    def dataset(self, item: h5py.Dataset, where: str) -> None:
        import h5py

        text = h5py.check_string_dtype(item.dtype) is not None
        if item.dtype.kind not in "fiub" and not text:
            what = "objects" if item.dtype.kind == "O" else str(item.dtype)
            refuse(self.path, f"'{where}' holds {what}, not numbers")
        if item.shape is None or item.external or item.is_virtual:
            refuse(self.path, f"'{where}' keeps its values elsewhere, or has none")
        self.bytes += item.size * item.dtype.itemsize
        if self.bytes > MAX_BYTES:
            refuse(self.path, f"'{where}' brings it to more than {MAX_BYTES} bytes unpacked")

    def type_of(self, group: h5py.Group, at: str) -> str | None:
        import h5py

        if "type" not in group:
            return None
        item = group["type"]
        value = item[()] if isinstance(item, h5py.Dataset) and item.shape == () else None
        kind = value.decode("utf8", "replace") if isinstance(value, bytes) else str(value)
        if kind not in self.types:
            refuse(self.path, f"node '{at.rsplit('/', 1)[-1]}' is of a type that NIR does not know ('{kind[:40]}')")
        return kind


def refuse(path: str | Path, why: str) -> NoReturn:
    """Raise UnreadableFile for a NIR graph."""
    raise UnreadableFile(path, _KIND, why, _WAY_OUT)


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else "no reason given"
