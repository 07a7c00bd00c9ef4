"""docs/file-keys.md names every key of an integer network's file, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import convolutions
import numpy as np
from pydantic import BaseModel
from safetensors.numpy import load as deserialise

import asrc_core
from asrc_core import meaning, preprocessing
from asrc_core.contract import random_network
from asrc_core.contract.file import forms, network_file
from asrc_core.contract.network import IntegerNetwork
from asrc_export.exporting import Exported
from asrc_export.quantization import scales
from asrc_export.quantization.search.search import Measured
from asrc_export.report.origin import rounding

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "file-keys.md").read_text(encoding="utf-8")
SECTIONS = dict(section.split("\n", 1) for section in TEXT.split("\n## ")[1:])
TENSORS = "Tensors"


def first_column(sections: Iterable[str]) -> set[str]:
    rows = [row for section in sections for row in SECTIONS[section].splitlines() if row.startswith("| `")]
    return {key for row in rows for key in re.findall(r"`([^`]+)`", row.split(" | ")[0])}


TOLD = first_column(SECTIONS.keys() - {TENSORS})


def keys(form: type[BaseModel], within: str = "") -> Iterator[str]:
    """Every key of a form, dotted; of lists, those of their entries; of one form or another, those of both."""
    for name, field in form.model_fields.items():
        key = f"{within}{field.alias or name}"
        inner = list(forms_in(field.annotation))
        if not inner:
            yield key
        for each in inner:
            yield from keys(each, f"{key}.")


def forms_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for part in get_args(annotation):
        yield from forms_in(part)


OF_FORMS = {
    *keys(forms.ChainManifest),
    *keys(forms.NetworkManifest),
    *keys(meaning.Meaning, "provenance.meaning."),
    *keys(preprocessing.Preprocessing, "provenance.preprocessing."),
    *keys(rounding.RoundedParameter, "provenance.rounding."),
    *keys(scales.Scales, f"provenance.{scales.PROVENANCE_KEY}."),
}


def test_every_key_of_the_forms_is_told() -> None:
    assert len(OF_FORMS) > 80
    assert not OF_FORMS - TOLD


def test_no_key_is_told_that_no_form_has() -> None:
    without_form = {key for key in TOLD if key.startswith("provenance.") and key.count(".") == 1}
    calibration = {f"provenance.calibration.{key}" for key in ("data", "samples")}
    parts = {f"provenance.calibration.parts.{key}" for key in Measured._fields}
    assert TOLD - OF_FORMS - without_form == calibration | parts


def test_every_key_that_an_export_writes_into_the_provenance_is_told(exported: Exported) -> None:
    networks = [exported.network, *map(asrc_core.load, sorted((ROOT / "examples").glob("*.safetensors")))]
    written = {f"provenance.{key}" for network in networks for key in of_json(network.provenance)}
    told = {*TOLD, *(f"provenance.observed.{layer.name}" for network in networks for layer in network.layers)}
    assert len(written) > 40
    assert not written - told - {"provenance.preprocessing.front_end"}  # of samples that are numbers: null


def of_json(value: Any, within: str = "") -> Iterator[str]:
    """Every key of JSON, dotted; of lists, those of their entries."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from of_json(each, f"{within}.{name}" if within else name)
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        for each in value:
            yield from of_json(each, within)
    else:
        yield within


def stored(network: IntegerNetwork) -> dict[str, str]:
    """Of each tensor in its file, the type; under its name with numbers and names of parameters left open."""
    open_names = (
        (r".*\.(present|values)$", r"n.\1"),
        (r"parameters\.\w+$", "parameters.n"),
        (r"^layers\.\d+", "layers.i"),
        (r"connections\.\d+", "connections.j"),
    )
    found = {}
    for name, tensor in deserialise(network_file.to_bytes(network)).items():
        for written, opened in open_names:
            name = re.sub(written, opened, name)
        found[name] = tensor.dtype.name
    return found


def test_every_tensor_of_a_file_is_told_with_its_type() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| [^|]+ \| (u?int\d+)", SECTIONS[TENSORS], re.MULTILINE)
    sparse = random_network.random_network(0, channels=20, widths=(30,), spans=(3,), steps=9, weight_bits=2)
    ordered = replace(sparse, permutation=np.arange(9))
    of_kernel = convolutions.network(0, convolutions.FIRST)
    drawn = [random_network.any_network(seed) for seed in range(8)]
    written: dict[str, str] = {}
    for network in (ordered, of_kernel, *drawn, asrc_core.load(ROOT / "examples" / "fsdd-asrc.loihi2.safetensors")):
        written |= stored(network)
    assert dict(rows) == written
