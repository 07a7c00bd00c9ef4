"""The report's JSON Schema, generated from its model.

`python -m asrc_export.report.schema` prints schema.json, which ships beside this module because every report names it:
who reads reports in another language validates against it without running anything of ours.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from asrc_export.report.report import Report


class _WithoutFieldTitles(GenerateJsonSchema):
    """A field's title would only repeat its key."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema() -> dict[str, Any]:
    """The schema of what asrc-report writes as JSON."""
    made = Report.model_json_schema(mode="serialization", schema_generator=_WithoutFieldTitles)
    head = {"$schema": GenerateJsonSchema.schema_dialect, "title": "asrc report, version 1"}
    return {**head, **{key: part for key, part in made.items() if key not in head}}


def text() -> str:
    """What schema.json holds."""
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    print(text(), end="")
