"""The published JSON schemas."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from tests.project import Project


@pytest.mark.parametrize("name", ["plan", "replay", "provider"])
def test_the_published_schemas_are_those_of_the_code(project: Project, name: str) -> None:
    """``schemas/`` is written by ``aca schema`` and by nothing else."""
    published = Path(__file__).parents[2] / "schemas" / f"{name}.schema.json"
    assert published.read_text() == project.run("schema", name).stdout


def test_a_schema_that_is_not_there_is_refused(project: Project) -> None:
    """With those that are."""
    assert 'did you mean "replay"?' in project.run("schema", "reply", expect=2).stderr


def test_the_replay_schema_knows_every_kind_of_step(project: Project) -> None:
    """A script is checked by it as strictly as by aca."""
    schema = jsonschema.Draft202012Validator(project.run("schema", "replay").json)
    assert schema.is_valid({"tasks": {"one": {"steps": [{"say": "hello"}, {"write": "a", "content": ""}]}}})
    assert not schema.is_valid({"tasks": {"one": {"steps": [{"sey": "hello"}]}}})
