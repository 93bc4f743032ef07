"""How a run ended: for people, and as one document for machines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aca.core import events as ev
from aca.core.progress import Status
from aca.core.state import SessionState
from aca.errors import Exit
from aca.plans.plan import Plan
from aca.plans.touches import outside
from aca.report import spending, words
from aca.report.spending import replayed
from aca.report.tree import counts_text, leaf_counts
from aca.rules.budget import limits_cost
from aca.sessions.derived import snapshot
from aca.sessions.session import Session

LISTED = 12
"""How many files or failed tasks are named; the rest is counted."""
REPLAYED = "replayed: no model was called"
_RAISED = re.compile(r"`(aca resume --max-[^`]+)`")
"""What the reason of a run that ended at a limit says to do."""


def headline(state: SessionState, ended: ev.RunEnded, marks: Mapping[Status, str]) -> str:
    """The result in one line."""
    mark = marks["completed" if ended.exit_code == Exit.OK else "failed"]
    name = f"{words.plan_name(state.plan)}: " if state.plan.name else ""
    return f"{mark} {name}{words.first_line(ended.reason)} ({counts_text(leaf_counts(state))})"


def summary(
    state: SessionState, ended: ev.RunEnded, session: Session, took: float, marks: Mapping[Status, str]
) -> list[str]:
    """What was made, what failed and why, what it took, where it lies and what to do next."""
    rows = [
        *_made(state),
        *_outside(state),
        *_lost(state),
        *_failures(state, marks),
        ("time", words.lasting(took)),
        ("used", _used(state)),
        *_uncounted(state),
        ("session", f"{short_path(session)}"),
        *_next(state, ended),
    ]
    return [headline(state, ended, marks), *(f"  {name:<9}{text}" for name, text in rows)]


def document(state: SessionState, ended: ev.RunEnded, session: Session) -> dict[str, Any]:
    """The same for machines. What is not known is null."""
    picture = snapshot(state)
    return {
        "session": session.id,
        "path": str(session.path),
        "name": state.plan.name,
        "exit_code": ended.exit_code,
        "reason": ended.reason,
        "until": ended.until,
        "replayed": replayed(state.plan),
        "commit": state.integrated or None,
        "progress": picture["progress"],
        "usage": spending.document(state.spent),
        "files": [{"path": path, "action": action} for path, action in made_files(state).items()],
        "tasks": picture["tasks"],
    }


def made_files(state: SessionState) -> dict[str, str]:
    """Path -> what became of it in the session, all tasks together."""
    made: dict[str, str] = {}
    for now in sorted(state.states.values(), key=lambda now: now.seq):
        for change in now.files:
            before = made.pop(change.path, "")
            if (action := _TOGETHER.get((before, change.action), change.action)) != _NOTHING:
                made[change.path] = action
    return made


_NOTHING = "nothing"
_TOGETHER = {
    ("created", "modified"): "created",
    ("created", "deleted"): _NOTHING,
    ("deleted", "created"): "modified",
}
"""What one task did to a file and a later one did -> what both together have done."""


def short_path(session: Session) -> str:
    """The session's directory, seen from where people are."""
    for base in (Path.cwd(), session.workspace):
        if session.path.is_relative_to(base):
            return str(session.path.relative_to(base))
    return str(session.path)


def start_line(plan: Plan, session: Session) -> str:
    """What begins now, and where."""
    note = f"; {REPLAYED.replace('was', 'is')}" if replayed(plan) else ""
    return f"{words.plan_name(plan)}: session {session.id}{note}"


def _made(state: SessionState) -> Iterator[tuple[str, str]]:
    by_action: dict[str, list[str]] = {}
    for path, action in made_files(state).items():
        by_action.setdefault(action, []).append(path)
    for action, paths in by_action.items():
        yield action, _listed(paths)


def _outside(state: SessionState) -> Iterator[tuple[str, str]]:
    """What tasks changed besides what they said they touch."""
    for task_id, task in state.tasks.items():
        paths = outside(state.plan, task, (change.path for change in state.states[task_id].files))
        if paths:
            yield "note", f"{task_id} also changed {_listed(paths)}"


def _lost(state: SessionState) -> Iterator[tuple[str, str]]:
    """What tasks wrote in their worktrees that git ignores."""
    for task_id, now in state.states.items():
        if now.lost and now.settled:
            yield "note", f"{task_id} wrote {_listed(now.lost)}, which git ignores: gone with its worktree"


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - LISTED} more" if len(paths) > LISTED else ""
    return ", ".join(map(words.one_line, paths[:LISTED])) + more


def _failures(state: SessionState, marks: Mapping[Status, str]) -> Iterator[tuple[str, str]]:
    failed = [task_id for task_id in state.leaves() if state.states[task_id].status == "failed"]
    failed += [
        one
        for one in state.children
        if state.states[one].status == "failed" and not state.failed_children(one)
    ]
    for task_id in failed[:LISTED]:
        yield "failed", f"{marks['failed']} {task_id}: {words.first_line(state.states[task_id].reason)}"
    if len(failed) > LISTED:
        yield "", f"and {len(failed) - LISTED} more: aca status --all"
    for task_id in state.leaves():
        now = state.states[task_id]
        if now.status == "blocked":
            yield "waits", f"{marks['blocked']} {task_id}: {words.first_line(words.why(now))}"


def _used(state: SessionState) -> str:
    told = spending.spending(state)
    return f"{told} ({REPLAYED})" if replayed(state.plan) else told


def _uncounted(state: SessionState) -> Iterator[tuple[str, str]]:
    """A limit on cost that did not see all of it."""
    if state.spent.unknown_costs and limits_cost(state.plan):
        calls = words.counted(state.spent.unknown_costs, "call")
        yield "warning", f"no cost limit has counted the {calls} of unknown cost"


def _next(state: SessionState, ended: ev.RunEnded) -> Iterator[tuple[str, str]]:
    for command in next_commands(state, ended):
        yield "next", command


def next_commands(state: SessionState, ended: ev.RunEnded) -> Iterator[str]:
    """What a person would type now."""
    code = ended.exit_code
    failed = [task_id for task_id, now in state.states.items() if now.status == "failed"]
    asked = {task_id: now for task_id, now in state.states.items() if now.waits_for == "approval"}
    refused = [task_id for task_id, now in state.states.items() if now.waits_for == "merge"]
    unanswered = [task_id for task_id, now in asked.items() if now.answer is None]
    if failed:
        yield f"aca show {failed[0]}   (why it failed)"
    if code == Exit.TASK_FAILED:
        yield "aca resume --failed   (tries again what failed)"
    if code in (Exit.OK, Exit.WAITING) and unanswered:
        yield f"aca approve {unanswered[0]}   (or aca reject), then aca resume"
    elif code == Exit.WAITING and asked:
        yield "aca resume   (goes on with the answer)"
    elif code == Exit.WAITING and refused:
        yield f"aca show {refused[0]} --diff   (what does not fit; aca resume tries again)"
    if state.is_to_be_merged and not state.plan.workspace.merge:
        yield "aca merge   (brings what is done into your branch)"
    if code == Exit.QUOTA and ended.until:
        yield f"aca resume   (after {words.moment(ended.until)})"
    elif code == Exit.LIMIT and (raised := _RAISED.search(ended.reason)):
        yield f"{raised[1]}   (goes on with a larger budget)"
    elif code not in (Exit.OK, Exit.TASK_FAILED, Exit.WAITING):
        yield "aca resume   (goes on where it stopped)"
