"""What models are told of the tools."""

from __future__ import annotations

import json

import jsonschema
import pytest

from aca import tools


@pytest.mark.parametrize("name", tools.KINDS)
def test_every_tool_is_described_in_one_piece(name: str) -> None:
    """A valid schema without references, which not every server follows, and a word on each tool."""
    kind = tools.KINDS[name]
    schema = kind.parameters()
    jsonschema.Draft202012Validator.check_schema(schema)
    text = json.dumps(schema)
    assert "$" not in text
    assert "\\n" not in text
    assert (kind.name, schema["type"], schema["additionalProperties"]) == (name, "object", False)
    assert kind.description().endswith(".")


def test_a_property_called_title_is_kept() -> None:
    """Only titles of schemas are left out, not properties of that name."""
    task = tools.KINDS["add_tasks"].parameters()["properties"]["tasks"]["items"]
    assert list(task["properties"]) == ["title", "description", "dependencies"]


def test_read_only_tasks_get_no_tool_that_could_write() -> None:
    """Everything else they get."""
    assert list(tools.offered("read-only")) == [
        "read",
        "list",
        "search",
        "add_tasks",
        "propose_task",
        "note",
        "finish",
    ]
    assert tools.offered("workspace-write") == tools.offered("full") == tools.KINDS
