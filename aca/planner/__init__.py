"""The planner: a model turns a text into a plan, once, and only when somebody asks for that.

repository   a map of what is there        question   all that the model is told
draft        what it may answer            ask        the call itself
compose      the answer as a plan-shaped document; coverage, where each line of the text goes
cache        answers that were paid for
"""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import msgspec

from aca import parse
from aca.errors import Exit, InputError, PlanningError, Problem
from aca.parse import Document
from aca.planner import cache, draft
from aca.planner.ask import UnusableError, ask
from aca.planner.compose import Bounds, Composed, compose
from aca.planner.question import MOST_CHARS, Material
from aca.planner.repository import look
from aca.plans import contract
from aca.plans.plan import REPLAY, Plan
from aca.plans.provenance import PlanningCall
from aca.plans.settings import Permissions, Workspace
from aca.preparation import drift, prepare
from aca.preparation.prepare import Prepared, Request
from aca.providers import clean
from aca.safety import secrets
from aca.sessions import journal, session

TASK = "planner"
"""The id of the one task that is done to make a plan: a replay script has the answer under it."""
_RIGHTS = get_args(Permissions)
"""From the least to the most."""


class Wish(msgspec.Struct, frozen=True):
    """What to tell the model besides the text, or instead of one: the *goal*. ``refresh`` asks anew."""

    hints: tuple[str, ...] = ()
    refresh: bool = False
    goal: str = ""


class Planned(msgspec.Struct, frozen=True):
    """A plan that a model has made, and what people are to know of that."""

    prepared: Prepared
    provider: str = ""
    """Who made it; empty where nobody was asked, as the file says its tasks as data."""
    was_kept: bool = False
    """Whether it was in the cache, and cost nothing."""
    seconds: float = 0.0
    left: tuple[str, ...] = ()
    """The lines of the text that are in no task."""
    remarks: tuple[str, ...] = ()
    """What the model says to the author."""
    commands: tuple[tuple[str, str], ...] = ()
    """(task id, shell line) of what only the model has thought of: it would run outside of any agent."""


def plan(wish: Wish, request: Request, environ: Mapping[str, str], notice: Callable[[str], None]) -> Planned:
    """Have a plan made for *request*, or take the one that was made of the very same before.

    *notice* is told what goes on. Raises InputError, DriftError, or PlanningError when there was no answer.
    """
    source = _read(wish, request)
    if source is None:
        return Planned(prepare.prepare(request, environ))
    basis = _basis(source, request, environ)
    planning = _Planning(wish, request, environ, source, basis)
    began = time.monotonic()
    made, calls = planning.answered(notice)
    prepared = prepare.prepare(request, environ, made.composed.document)
    return Planned(
        prepared=msgspec.structs.replace(
            prepared, plan=prepared.plan.model_copy(update={"planning": calls or ()})
        ),
        provider=planning.asked.defaults.provider or "",
        was_kept=calls is None,
        seconds=time.monotonic() - began,
        left=tuple(made.composed.left),
        remarks=tuple(made.draft.remarks),
        commands=tuple(made.composed.commands),
    )


# -- before anything is asked ---------------------------------------------------------------------------


def _read(wish: Wish, request: Request) -> Document | None:
    """The text to plan; None where tasks are said as data. Raises InputError where it cannot be planned."""
    if wish.goal:
        return Document("--goal", wish.goal, "text", has_file=False)
    source = parse.read(request.file, base=request.workspace)
    if source.prose is None or request.must_be_plan:
        return None
    if len(source.text) > MOST_CHARS:
        cure = "split it, or make its tasks a list, which needs no model"
        message = f"this text is too long for a planner: {len(source.text):,} characters of {MOST_CHARS:,}"
        raise InputError(Problem(message, cure, source.path))
    if request.require_approved:
        drift.refuse_unapproved(Plan(), request.file, is_plan=False)
    return source


def _basis(source: Document, request: Request, environ: Mapping[str, str]) -> Prepared:
    """All that a plan gets which is not in the answer, with the question as its only task.

    Raises InputError for what is wrong with the text and the settings: no call is made then.
    """
    task: dict[str, Any] = {
        "id": TASK, "title": "Make a plan", "permissions": "read-only", "workspace": "inplace",
        "docker": False, "conversation": "own", "output_schema": draft.schema(),
    }  # fmt: skip
    settings = source.prose.settings if source.prose else {}
    data = {**settings, "name": source.data.get("name", ""), "tasks": [task]}
    bare = replace(source, data=data, problems=list(source.problems))
    bare.stands_at(source.marks_of_settings)
    basis = prepare.prepare(_whole(request), environ, bare)
    problems = (prepare.provider_problems, prepare.workspace_problems)
    if found := [one for look_for in problems for one in look_for(basis, request.workspace)]:
        raise InputError(found)
    return basis


def _whole(request: Request) -> Request:
    """*request* for all of the tasks: what is left out of them is no matter of the model's."""
    return msgspec.structs.replace(request, only=(), skip=(), require_approved=False)


def _placed(options: Mapping[str, dict[str, Any]], workspace: Path) -> dict[str, dict[str, Any]]:
    """*options* of providers with their paths in full: they are called from another directory."""
    placed = {name: dict(given) for name, given in options.items()}
    if "script" in placed.get(REPLAY, {}):
        placed[REPLAY]["script"] = str(workspace / placed[REPLAY]["script"])
    for given in placed.values():
        if "command" in given:
            given["command"] = _command_in_full(given["command"], workspace)
    return placed


def _command_in_full(command: str | Sequence[Any], workspace: Path) -> list[Any]:
    """*command* with the files of the workspace that it names in full; a bare first word is on the PATH."""
    first, *rest = shlex.split(command) if isinstance(command, str) else list(command)
    named = [str(workspace / word) if isinstance(word, str) else "" for word in rest]
    arguments = [name if os.path.isfile(name) else word for name, word in zip(named, rest, strict=True)]  # noqa: PTH113 - any word
    return [str(workspace / first) if "/" in first else first, *arguments]


# -- question and answer --------------------------------------------------------------------------------


class _Made(msgspec.Struct, frozen=True):
    """What came of an answer."""

    draft: draft.Draft
    composed: Composed


class _Planning(msgspec.Struct, frozen=True, dict=True):
    """One text on its way to a plan."""

    wish: Wish
    request: Request
    environ: Mapping[str, str]
    source: Document
    basis: Prepared

    def answered(self, notice: Callable[[str], None]) -> tuple[_Made, tuple[PlanningCall, ...] | None]:
        """What was answered before to the very same question, else what is answered now, by which calls."""
        folder, key = cache.folder(self.environ), _key(self.asked)
        if not self.wish.refresh and (made := self.known(folder, key)) is not None:
            return made, None
        notice(f"planning with {self.asked.defaults.provider}")
        try:
            answer = ask(self.asked, folder / "calls", self.accepted, notice)
        except UnusableError as error:
            text = secrets.struck_out(error.text, self.environ)
            kept = _keep(folder, key, text)
            message = "the answer of the planner cannot be used, nor could the one before it"
            raise InputError([*error.problems, Problem(message, f"it is kept in {kept}")]) from None
        cache.put(folder, key, json.dumps(answer.given).encode())
        return answer.made, answer.calls

    @cached_property
    def asked(self) -> Plan:
        """The question as a plan of one task, which is done in a directory of its own."""
        plan = self.basis.plan
        [task] = plan.tasks
        question = clean.text(secrets.struck_out(self.material.question(), self.environ))
        update: dict[str, Any] = {
            "tasks": (task.model_copy(update={"description": question, "checks": ()}),),
            "execution_mode": "sequential",
            "max_concurrent_tasks": 1,
            "workspace": Workspace(),
            "cwd": ".",
            "providers": _placed(plan.providers, self.request.workspace),
        }
        return plan.model_copy(update=update)

    @cached_property
    def material(self) -> Material:
        own = (parse.relative(self.request.file, self.request.workspace),) if self.source.has_file else ()
        return Material(self.source, look(self.request.workspace, own), self.wish.hints, self.roles)

    @property
    def roles(self) -> list[str]:
        """Those that may do no more than a task without a role."""
        plan = self.basis.plan
        most = _RIGHTS.index(plan.defaults.permissions)
        rights = {name: role.permissions or "read-only" for name, role in plan.roles.items()}
        return [name for name, one in rights.items() if _RIGHTS.index(one) <= most]

    def known(self, folder: Path, key: str) -> _Made | None:
        """A kept answer passes the same validator; one that does not is asked for again."""
        kept = cache.get(folder, key) if folder.is_dir() else None
        try:
            return None if kept is None else self.accepted(json.loads(kept))
        except (ValueError, InputError):
            return None

    def accepted(self, given: Mapping[str, Any]) -> _Made:
        """What comes of an answer. Raises InputError with all that is wrong with it, and PlanningError where
        it says that there is nothing to do."""
        read = draft.Draft.model_validate(given)
        composed = compose(self.source, read, self.bounds)
        if not composed.document.data["tasks"]:
            raise PlanningError(" ".join(["the planner found nothing to do.", *read.remarks]), Exit.USAGE)
        prepare.prepare(_whole(self.request), self.environ, composed.document)
        return _Made(read, composed)

    @property
    def bounds(self) -> Bounds:
        said = self.basis.settings.layers
        is_open = not any((key,) in said for key in ("execution_mode", "max_concurrent_tasks"))
        return Bounds({*self.material.repository.files, *self.material.links}, self.roles, is_open)


def _key(asked: Plan) -> str:
    """Everything that decides the answer: text, files, hints, map and instructions are in the question."""
    [task] = asked.tasks
    gets = asked.defaults
    said = [task.description, task.output_schema, gets.provider, gets.model, gets.system_prompt]
    models = [gets.models.model_dump(mode="json"), asked.providers.get(gets.provider or "", {})]
    return contract.digest_of([said, models, asked.description, _script(asked)])


def _script(asked: Plan) -> str:
    """What is played in place of a model: changed, it is another one."""
    if asked.defaults.provider != REPLAY:
        return ""
    return session.digest(Path(str(asked.providers[REPLAY]["script"])).read_bytes())


def _keep(folder: Path, key: str, text: str) -> Path:
    """The file in which an answer is kept that nobody can use, for people to look at."""
    path = cache.own(folder) / f"refused-{key[:12]}.txt"
    journal.write_aside(path, clean.text(text).encode())
    return path
