"""Schemas of outputs that stand in files: read when the plan is made, and part of it from then on."""

from __future__ import annotations

import json
from typing import Any

from aca.errors import InputError
from aca.parse.document import Document, Loc
from aca.parse.references import Shelf, Unfound
from aca.parse.source import read_text


def insert(document: Document, shelf: Shelf) -> None:
    """Put the schema in the place of the name of its file, in every task; note what cannot be read."""
    for index, task in document.tasks_with("output_schema"):
        if isinstance(name := task["output_schema"], str):
            task["output_schema"] = _read(document, shelf, ("tasks", index, "output_schema"), name)


def _read(document: Document, shelf: Shelf, loc: Loc, name: str) -> dict[str, Any] | None:
    found = shelf.find(name)
    if isinstance(found, Unfound):
        document.note(loc, found.message, "output_schema is a JSON Schema, or names a file with one", name)
        return None
    try:
        schema = json.loads(read_text(shelf.path(found)))
    except InputError as error:
        document.problems += error.problems
    except (ValueError, RecursionError) as error:
        document.note(loc, f"{found} is not JSON: {error}", "", name)
    else:
        if isinstance(schema, dict):
            return schema
        document.note(loc, f"{found} is not a JSON Schema: a schema is an object", "", name)
    return None
