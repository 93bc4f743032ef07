"""``aca status``: how a session stands."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aca.cli.finding import SessionArgument, find_session
from aca.cli.options import Json, Workspace
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.core.state import SessionState
    from aca.sessions.session import Session

OTHERS = 5
"""How many other sessions are listed below the newest."""


def status(
    name: SessionArgument = None,
    everything: Annotated[
        bool, typer.Option("--all", envvar="ACA_STATUS_ALL", help="Every task, however many there are.")
    ] = False,
    sessions: Annotated[bool, typer.Option("--sessions", help="Only list the sessions.")] = False,
    workspace: Workspace = Path(),
    json: Json = False,
) -> int:
    """Show how far a session is, what waits and why, and what was used."""
    from aca.sessions import session, whereabouts

    screen = Screen()
    found = session.listing(workspace)
    if not found and name is None:
        hint = whereabouts.elsewhere(workspace)
        told = f"no session here; {hint}" if hint else "no session yet"
        screen.document([] if sessions else None) if json else screen.result(told)
    elif sessions:
        screen.document([_brief(one) for one in found]) if json else screen.results(map(_line, found))
    else:
        one = find_session(workspace, name)
        others = [other for other in found if other.id != one.id] if name is None else []
        screen.document(_document(one)) if json else screen.results(_told(one, others, screen, everything))
    return 0


def _told(one: Session, others: Sequence[Session], screen: Screen, everything: bool) -> Iterator[str]:
    from aca.report import tree
    from aca.report.words import first_line, plan_name

    state = one.state()
    yield f"{plan_name(state.plan)}: {tree.counts_text(tree.leaf_counts(state))}"
    yield from tree.progress(state, screen.marks, None if everything else tree.SHOWN)
    yield ""
    yield from (f"  {name:<9}{first_line(text)}" for name, text in _facts(one, state))
    if others:
        yield f"\n{len(others)} earlier sessions:" if len(others) > 1 else "\n1 earlier session:"
        yield from map(_line, reversed(others[-OTHERS:]))


def _facts(one: Session, state: SessionState) -> Iterator[tuple[str, str]]:
    from aca.report import summary, words
    from aca.report.spending import spending

    yield "session", summary.short_path(one)
    yield "runs", _activity(one, state)
    for task_id, now in state.states.items():
        if now.status == "blocked" or (now.status == "pending" and now.not_before > time.time()):
            from aca.report import story

            yield "waits", f"{task_id}: {next(story.waits_for(state, task_id, time.time()), now.reason)}"
    if waiting := _unread(one, state):
        yield "inbox", f"{words.counted(waiting, 'message')} for the next run: aca resume"
    yield "used", f"{spending(state)}{_replayed(state)}"
    yield from (("limits", f"{name}: {told}") for name, told in _limits(one))
    yield "since", f"{words.moment(state.created_at)}, last event {words.moment(state.updated_at)}"
    if state.ended is not None and not one.is_running():
        yield from (("next", command) for command in summary.next_commands(state, state.ended))


def _unread(one: Session, state: SessionState) -> int:
    """Messages that nobody takes in, as no aca runs the session."""
    return 0 if one.is_running() else sum(name not in state.messages for name, _ in one.messages())


def _limits(one: Session) -> Iterator[tuple[str, str]]:
    from aca.report import allowance

    for name, known in allowance.allowances(one, os.environ).items():
        yield name, allowance.told(known)


def _replayed(state: SessionState) -> str:
    from aca.report.spending import replayed
    from aca.report.summary import REPLAYED

    return f" ({REPLAYED})" if replayed(state.plan) else ""


def _activity(one: Session, state: SessionState) -> str:
    """Whether somebody runs it, or how its last run ended."""
    if one.is_running():
        return f"now, by {one.runner()}"
    if state.ended is None:
        return "no; its last run was cut off: aca resume goes on" if state.runs else "not begun: aca resume"
    return f"no; its last run ended with exit code {state.ended.exit_code}: {state.ended.reason}"


def _line(one: Session) -> str:
    brief = _brief(one)
    running = ", running" if brief["running"] else ""
    progress = brief.get("damaged") or f"{brief['completed']}/{brief['total']} completed{running}"
    return f"  {one.id}  {progress}  {brief.get('name') or ''}".rstrip()


def _brief(one: Session) -> dict[str, Any]:
    from aca.report.tree import leaf_counts
    from aca.sessions.session import UNSOUND

    try:
        state = one.state()
    except UNSOUND as error:
        return {"session": one.id, "running": False, "damaged": str(error).splitlines()[0]}
    counts = leaf_counts(state)
    return {
        "session": one.id,
        "name": state.plan.name,
        "running": one.is_running(),
        "completed": counts["completed"],
        "total": counts.total(),
    }


def _document(one: Session) -> dict[str, Any]:
    from aca.report import allowance, spending
    from aca.sessions.derived import snapshot

    state = one.state()
    ended = state.ended
    running = one.is_running()
    return {
        **snapshot(state),
        "path": str(one.path),
        "running": one.runner() if running else None,
        "inbox": _unread(one, state),
        "exit_code": None if running or ended is None else ended.exit_code,
        "reason": None if running or ended is None else ended.reason,
        "usage": spending.document(state.spent),
        "limits": allowance.allowances(one, os.environ),
    }
