"""Where the numbers come from: data, target, engine, versions and hashes."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from asrc_core import __version__
from asrc_core.contract.file import network_file
from asrc_core.contract.network import IntegerNetwork
from asrc_export.report import outline
from asrc_export.report.part import Part, Sha256
from asrc_export.report.table import Table

if TYPE_CHECKING:  # it loads torch, which drawing a report from its JSON does not need
    from asrc_train.trained.checkpoint import Checkpoint

OriginBy = Literal["hash", "shape"]
_NAMES = {"origin_by": "checkpoint told by", "data_notes": "about the samples"}
_ORIGIN = {"hash": "the hash of the checkpoint's file", "shape": "widths and spans only; no hash tells more"}

Carried = Annotated[str | None, Field(exclude_if=lambda value: value is None)]
"""What the checkpoint's provenance says, where it does: above all, what an import had to settle and how."""


class Provenance(Part):
    """Where the numbers come from."""

    data: str = Field(description="The data set whose test split was run.")
    target: str
    mapping: str = Field(description="Where spikes under way are kept: delay-line, synaptic-delay, or both.")
    engine: str = Field(description="The engine that ran the integers.")
    network_sha256: Sha256 = Field(description="Of the integer network's content.")
    float_sha256: Sha256 | None = Field(description="Of the checkpoint's file; null where it was never one.")
    origin_by: OriginBy | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="How the checkpoint was told to be the one that the integers came from: by its file's hash, or, "
        "where the network states none or the checkpoint was no file, by widths and spans alone.",
    )
    seed: int = Field(ge=0, description="Of the training.")
    data_notes: tuple[str, ...] = Field(
        default=(),
        exclude_if=lambda value: not value,
        description="What was left out, padded or cut to the input's range when samples were read.",
    )
    asrc: str = Field(description="Version that wrote the report.")
    torch: Carried = None
    python: Carried = None
    imported_from: Carried = None
    import_notes: Carried = None


def of(
    network: IntegerNetwork,
    trained: Checkpoint,
    *,
    data: str,
    engine: str,
    float_sha256: str | None,
    notes: Sequence[str] = (),
) -> Provenance:
    """Of a network and the checkpoint that it came from; ``notes`` are the data set's."""
    said, stated = trained.provenance, network.provenance.get("checkpoint_sha256")
    return Provenance(
        data=data,
        target=network.target,
        mapping=outline.mappings_of(network),
        engine=engine,
        network_sha256=network_file.fingerprint(network),
        float_sha256=float_sha256,
        origin_by="hash" if float_sha256 is not None and stated == float_sha256 else "shape",
        seed=trained.config.training.seed,
        data_notes=tuple(notes),
        asrc=__version__,
        torch=_text(said, "torch"),
        python=_text(said, "python"),
        imported_from=_text(said, "imported_from"),
        import_notes=_text(said, "import_notes"),
    )


def _text(said: MappingOf[str, Any], key: str) -> str | None:
    return str(said[key]) if key in said else None


def table(provenance: Provenance) -> Table:
    """All of it."""
    said = provenance.model_dump()
    if provenance.origin_by is not None:
        said["origin_by"] = _ORIGIN[provenance.origin_by]
    if provenance.data_notes:
        said["data_notes"] = "; ".join(provenance.data_notes)
    rows = [(_NAMES.get(name, name.replace("_", " ")), "" if value is None else value) for name, value in said.items()]
    return Table("provenance", "Provenance", ("what", "value"), rows)
