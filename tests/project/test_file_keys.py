"""docs/file-keys.md names every key of an integer network's file, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

import asrc_core
from asrc_core import meaning, preprocessing
from asrc_core.contract.file import forms
from asrc_export.exporting import Exported

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "file-keys.md").read_text(encoding="utf-8")
ROWS = [row for row in TEXT.splitlines() if row.startswith("| `")]
TOLD = {key for row in ROWS for key in re.findall(r"`([^`]+)`", row.split(" | ")[0])}


def keys(form: type[BaseModel], within: str = "") -> Iterator[str]:
    """Every key of a form, dotted; of lists, those of their entries."""
    for name, field in form.model_fields.items():
        inner = next(forms_in(field.annotation), None)
        if inner is None:
            yield f"{within}{name}"
        else:
            yield from keys(inner, f"{within}{name}.")


def forms_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for part in get_args(annotation):
        yield from forms_in(part)


def of_forms() -> set[str]:
    read = {*keys(forms.ChainManifest), *keys(forms.NetworkManifest), *keys(meaning.Meaning, "provenance.meaning.")}
    fields = preprocessing.Preprocessing.model_fields
    return {*read, *(f"provenance.preprocessing.{name}" for name in fields), "provenance.classes"}


def test_every_key_of_the_forms_is_told_and_no_key_beside() -> None:
    told = {key for key in TOLD if key.count(".") != 1 or not key.startswith("provenance.")} | {"provenance.classes"}
    assert told == of_forms()


def test_every_key_that_an_export_writes_into_the_provenance_is_told(exported: Exported) -> None:
    networks = [exported.network, *map(asrc_core.load, sorted((ROOT / "examples").glob("*.safetensors")))]
    written = {f"provenance.{key}" for network in networks for key in network.provenance}
    told = {".".join(key.split(".")[:2]) for key in TOLD}
    assert len(written) > 5
    assert not written - told
