"""What a person adds to a session, looked at before it is sent: nobody is to hear of a mistake too late."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from aca.core import patch
from aca.core.state import SessionState
from aca.errors import Problem, SessionError
from aca.parse.explain import Complaint, explain
from aca.plans.faults import Fault
from aca.plans.task import Task
from aca.plans.values import slug
from aca.preparation import assigned
from aca.preparation.config import Merged
from aca.preparation.prepare import effective, refuse_secrets
from aca.sessions.session import Session


def complete(one: Session, said: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any] | None:
    """The task that *said* (plan data) becomes in the session; None where it is there already, under the id
    that it says. Without one its id is made of its title, and of a number where that is taken.

    Raises SessionError with all that is wrong, InputError where it holds a secret.
    """
    keeps_id = "id" in said
    said = {"id": slug(said["title"]) or "task", **said}
    refuse_secrets(said, lambda loc, message, cure: Problem(f"{loc[0]}: {message}", cure), environ)
    misspelt = [*_misspelt(said)]
    said = {key: value for key, value in said.items() if key not in {found.loc[0] for found in misspelt}}
    state = one.state()
    state.plan = effective(one.plan, state.overrides)
    if "title" in said and keeps_id and patch.is_there(state, said):
        return None
    task, faults = patch.addition(state, said, keeps_id=keeps_id) if "title" in said else ({}, [])
    wrong: list[Complaint | Fault] = [*misspelt, *faults]
    _refuse([*(Problem(found.message, found.cure) for found in wrong), *_missing_files(one, said)])
    _refuse(_impossible(one, state, task))
    return task


def _refuse(found: Iterable[Problem]) -> None:
    if told := [*found]:
        raise SessionError("\n".join(map(str, told)))


def _misspelt(said: Mapping[str, Any]) -> Iterator[Complaint]:
    """What no task could have."""
    try:
        Task.model_validate(said)
    except ValidationError as error:
        yield from explain(error, Task, said, {})


def _missing_files(one: Session, said: Mapping[str, Any]) -> Iterator[Problem]:
    for ref in said.get("file_refs", ()):
        if not (one.workspace / ref).is_file():
            yield Problem(f'there is no file "{ref}" in the workspace')


def _impossible(one: Session, state: SessionState, task: Mapping[str, Any]) -> Iterator[Problem]:
    """What keeps the task from being done here."""
    alone = Task.model_validate({**task, "parent_id": None, "dependencies": ()})
    plan = state.plan.model_copy(update={"tasks": (alone,)})
    yield from assigned.problems(plan, Merged(), one.workspace)
