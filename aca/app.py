"""All that the outside may ask of aca: prepare a plan, start it, carry it out, resume it.

Everything is put together here and in ``aca.runner``: settings, parsers, providers, session, loop.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from aca import parse
from aca.errors import DamagedJournalError, InputError, MachineError, Problem
from aca.plans.plan import SCHEMA_ID, Plan
from aca.plans.values import laid_over
from aca.preparation.assigned import used_providers
from aca.preparation.config import Merged
from aca.preparation.prepare import (
    Prepared,
    Request,
    effective,
    prepare,
    provider_problems,
    settings,
    settled,
    workspace_problems,
)
from aca.runner import Watchers, carry_out, end_orphans, left
from aca.sessions import session
from aca.sessions.history import estimated
from aca.sessions.resumption import Resumption
from aca.sessions.session import Session
from aca.workspaces import choice, images, kept, leftovers, repository
from aca.workspaces.collection import collect

__all__ = [
    "Prepared",
    "Request",
    "Watchers",
    "carry_out",
    "collect",
    "estimated",
    "prepare",
    "provider_problems",
    "settings",
    "settled",
]


def start(prepared: Prepared, workspace: Path, notice: Callable[[str], None] = lambda _text: None) -> Session:
    """A new session for a prepared plan. Raises InputError when it cannot be done here, MachineError when
    the engine for its containers is not here."""
    if found := _faults(prepared, workspace, ask=True):
        raise InputError(found)
    _provide(prepared.plan, workspace, notice)
    commit = ""
    if choice.uses(prepared.plan, "worktree") and (here := repository.find(workspace)) is not None:
        commit = here.head
    plan = prepared.plan.model_copy(update={"schema_id": SCHEMA_ID})  # nobody edits it there
    return session.create(workspace, parse.dump_text(plan, "json"), commit)


def problems(prepared: Prepared, workspace: Path) -> list[Problem]:
    """What keeps a plan from being done here, found out without asking anybody but a container engine."""
    plan = prepared.plan
    of_containers = images.problems(plan, workspace, os.environ)
    return [*_faults(prepared, workspace, ask=False), *of_containers]


def _faults(prepared: Prepared, workspace: Path, *, ask: bool) -> list[Problem]:
    return [*provider_problems(prepared, workspace, ask=ask), *workspace_problems(prepared, workspace)]


def _provide(plan: Plan, workspace: Path, notice: Callable[[str], None]) -> None:
    images.provide(plan, used_providers(plan), workspace, os.environ, notice)


# -- resume -------------------------------------------------------------------------------------------


def go_on(
    found: Resumption,
    overrides: Mapping[str, Any],
    notice: Callable[[str], None],
    roll_back: bool | None = None,
) -> Session:
    """The session to carry out, after what a killed aca left running in it has been ended.

    From a checkpoint on, files that tasks have changed in place since are as they were then: not so where
    *roll_back* is False; where it is None, only as long as nobody else has changed them since. Raises
    SessionInUseError, SessionError, or InputError when what is left cannot be done with *overrides* laid over
    its plan; nothing has been written then.
    """
    is_fork = found.until is not None
    with nullcontext() if is_fork else found.origin.lock():
        end_orphans(found.origin.workspace, notice, mine=None if is_fork else found.origin)
    _refuse_unfit(found, overrides, notice)
    if found.until is None:
        return found.origin
    if roll_back is not False:
        _roll_back(found.origin, found.until, roll_back is True, notice)
    made = session.fork(found.origin, found.until)
    kept.hold(made)
    return made


def _roll_back(origin: Session, until: int, force: bool, notice: Callable[[str], None]) -> None:
    try:
        done = kept.roll_back(origin, until, force=force)
    except DamagedJournalError:
        notice(
            "what tasks have changed since is not known, as the journal is damaged: files stay as they are"
        )
        return
    if done.paths:
        files = "1 file is" if len(done.paths) == 1 else f"{len(done.paths)} files are"
        back = f"aca restore --undo --session {origin.id}"
        notice(f"{files} as at that checkpoint again; what was there is kept: {back}")


def _refuse_unfit(found: Resumption, overrides: Mapping[str, Any], notice: Callable[[str], None]) -> None:
    state = found.state
    plan = effective(state.plan, laid_over(state.overrides, overrides))
    rest = Prepared(left(state, plan), Merged())
    stays = choice.moved(left(state, state.plan), rest.plan, found.origin.workspace)
    told = [Problem(one.message, one.cure) for one in stays]
    if told := [*provider_problems(rest, found.origin.workspace), *told]:
        raise InputError(told)
    _provide(rest.plan, found.origin.workspace, notice)


def left_containers(workspace: Path, *, remove: bool) -> list[str]:
    """The containers that killed acas left behind, which are gone with *remove*; none without an engine."""
    try:
        return leftovers.names(workspace, os.environ, remove=remove)
    except MachineError:
        return []
