"""JSON in text, and which schemas anybody can be held to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aca.plans import output

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=4), values, max_size=4)
words = st.text(alphabet="ab .\n`}", max_size=20)


@given(before=words, value=objects, after=words)
def test_an_object_is_found_among_words(before: str, value: dict[str, Any], after: str) -> None:
    """Whatever stands around it, as long as that is no object."""
    assert output.found(f"{before}{json.dumps(value)}{after}") == value


@given(first=objects, last=objects, between=words)
def test_the_last_of_several_is_found(first: dict[str, Any], last: dict[str, Any], between: str) -> None:
    """And never one that is inside of another."""
    assert output.found(f"{json.dumps(first)} {between} {json.dumps(last)}") == last


@given(text=st.text(alphabet='{}[]":,a1 \n`', max_size=300))
def test_any_text_has_an_object_or_none(text: str) -> None:
    """Nothing is raised."""
    assert isinstance(output.found(text), dict | None)


@pytest.mark.parametrize("text", ["{" * 100_000, '{"a":' * 100_000, '{"a": NaN}', "[1]", '"{', ""])
def test_what_is_no_object_is_none(text: str) -> None:
    """However deep, and in no long time."""
    assert output.found(text) is None


CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
          "additionalProperties": False}  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "is_enforced"),
    [
        (CLOSED, True),
        ({**CLOSED, "properties": {"a": CLOSED}}, True),
        ({**CLOSED, "properties": {"a": {"type": ["string", "null"], "enum": ["x", None]}}}, True),
        ({**CLOSED, "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": CLOSED}}, True),
        ({**CLOSED, "required": []}, False),
        ({**CLOSED, "additionalProperties": True}, False),
        ({**CLOSED, "properties": {"a": {"type": "integer", "minimum": 1}}}, False),
        ({**CLOSED, "properties": {"a": {}}}, False),
        ({**CLOSED, "properties": {"a": True}}, False),
        ({**CLOSED, "properties": {"a": {"type": "array", "items": {"type": "object"}}}}, False),
        ({**CLOSED, "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "object"}]}}}, False),
        ({**CLOSED, "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"format": "date"}}}, False),
    ],
)
def test_which_schemas_every_vendor_can_enforce(schema: dict[str, Any], is_enforced: bool) -> None:
    """Closed objects, all the way down, with keywords that all of them know."""
    assert output.usable(schema)
    assert output.is_enforced(schema) == is_enforced


def test_an_output_that_is_too_long_is_wrong() -> None:
    """It would go into the journal and into prompts."""
    assert "longer than" in output.wrong({"a": "x" * output.MAX_OUTPUT}, CLOSED)
