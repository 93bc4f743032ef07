"""The published JSON schemas."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tests.project import Project

PUBLISHED = Path(__file__).parents[2] / "schemas"


@pytest.mark.parametrize("name", ["plan", "replay", "provider"])
def test_the_published_schemas_are_those_of_the_code(project: Project, name: str) -> None:
    """``schemas/`` is written by ``aca schema`` and by nothing else."""
    assert PUBLISHED.joinpath(f"{name}.schema.json").read_text() == project.run("schema", name).stdout


def test_a_schema_that_is_not_there_is_refused(project: Project) -> None:
    """With those that are."""
    assert 'did you mean "replay"?' in project.run("schema", "reply", expect=2).stderr


def test_the_replay_schema_knows_every_kind_of_step(project: Project) -> None:
    """A script is checked by it as strictly as by aca."""
    schema = jsonschema.Draft202012Validator(project.run("schema", "replay").json)
    assert schema.is_valid({"tasks": {"one": {"steps": [{"say": "hello"}, {"write": "a", "content": ""}]}}})
    assert not schema.is_valid({"tasks": {"one": {"steps": [{"sey": "hello"}]}}})


def test_what_people_may_write_in_a_plan_is_in_its_schema(project: Project) -> None:
    """No editor underlines what is read: other names, words for numbers, one thing in the place of a list."""
    task = {
        "name": "A", "needs": "b", "check": "pytest -q", "priority": "high", "timeout": "30m",
        "touches": "a/**", "output_schema": "a.json",
    }  # fmt: skip
    also = {
        "title": "B",
        "id": "b",
        "run": ["make"],
        "checks": ["true", ["false"], {"run": "x"}],
        "priority": 9,
    }
    plan = {"format_version": 1, "tasks": [task, also]}
    project.write({"plan.json": json.dumps(plan), "a.json": '{"type": "object"}'})
    project.run("plan", "validate", "plan.json")
    schema = jsonschema.Draft202012Validator(json.loads(PUBLISHED.joinpath("plan.schema.json").read_text()))
    schema.validate(plan)
    for wrong in ({"priority": 11}, {"priority": "soon"}, {"neds": "b"}, {"checks": [1]}, {"title": None}):
        assert not schema.is_valid({**plan, "tasks": [{**task, **wrong}]}), wrong
