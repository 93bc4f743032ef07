"""What a model says of a plan: flat tables that every vendor can hold it to, and nothing that gives rights.

Whatever else is in a plan (permissions, providers, environments, workspaces, limits) comes from the person
who asked for it. So a text that talks the model into something gets no further than this.
"""

from __future__ import annotations

from functools import cache
from typing import Any, get_args

from pydantic import ConfigDict

from aca.plans.plan import Mode
from aca.plans.task import Kind
from aca.plans.values import Model


class _Said(Model):
    """Strict modes take no keys that may be left out, no ranges and no tables with free keys."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Lines(_Said):
    """Lines of the text, both included."""

    first: int
    last: int


class DraftTask(_Said):
    """One task."""

    id: str
    """short: letters, digits and -"""
    title: str
    """an imperative on one line"""
    kind: Kind
    """agent: a coding agent does it; command: a shell line; approval: a person says yes"""
    description: str
    """what the agent has to know beyond the author's own lines, which it is told as well; may be empty"""
    parent: str | None
    """the id of the group it is in; a task that others name as their parent is that group"""
    dependencies: list[str]
    """ids of tasks that must be done before it"""
    priority: int
    """0 to 10, bigger is first, 5 is usual"""
    estimated_complexity: int
    """1 to 10"""
    role: str | None
    """one of the roles that are listed, or null"""
    touches: list[str]
    """paths or patterns of the files it will change"""
    file_refs: list[str]
    """files of the repository whose text the agent should be given; few"""
    checks: list[str]
    """shell lines, run in the workspace, that succeed once it is done"""
    command: str | None
    """of kind command: the shell line; null otherwise"""
    tags: list[str]
    source: list[Lines]
    """the lines of the text that it is made of"""


class Draft(_Said):
    """A plan."""

    name: str
    """a few words"""
    execution_mode: Mode
    """sequential: one at a time; parallel: several; intelligent: several, the longest chains first"""
    tasks: list[DraftTask]
    remarks: list[str]
    """for the author: contradictions, and what had to be assumed; may be empty"""


_UNSAID = {
    name: None for name, one in DraftTask.model_fields.items() if type(None) in get_args(one.annotation)
}


def completed(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """An answer with null for what may be null and is left out of its tasks: TOML, for one, has no null."""
    tasks = given.get("tasks") if given else None
    if not isinstance(tasks, list):
        return given
    return {**(given or {}), "tasks": [{**_UNSAID, **one} if isinstance(one, dict) else one for one in tasks]}


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema that the answer has to fit."""
    return Draft.model_json_schema()
