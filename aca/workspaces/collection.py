"""``aca gc``: which sessions nobody needs any more, and their removal."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from aca.errors import SessionInUseError
from aca.sessions import session
from aca.sessions.session import Session
from aca.workspaces import kept, lifecycle


def collect(
    workspace: Path, older_than: float, force: bool, dry_run: bool, only: Session | None = None
) -> list[tuple[Session, str]]:
    """Remove finished sessions older than *older_than* seconds; returns (session, what became of it).

    One that is running is never removed, one that could be resumed only with *force*. None but *only* is
    looked at where that is given.
    """
    judge = partial(_doom, older_than=older_than, force=force)
    asked = session.listing(workspace) if only is None else [only]
    report = [(one, _collected(one, judge, dry_run)) for one in asked]
    if not dry_run:
        session.sweep(workspace)
        lifecycle.tidy(workspace)
    return report


def _collected(one: Session, judge: Callable[[Session], str], dry_run: bool) -> str:
    """What becomes of it. It is judged once more under its lock: somebody may just have taken it up."""
    if one.is_running():
        return _RUNNING
    verdict = judge(one)
    if dry_run or verdict not in REMOVED:
        return verdict
    try:
        with one.lock():
            if (verdict := judge(one)) in REMOVED:
                lifecycle.forget(one, keeps_work=verdict == _UNREAD)
                session.remove(one)
    except SessionInUseError:
        return _RUNNING
    return verdict


_REMOVED = "removed"
_UNREAD = "removed, but for a branch with what it had merged and you have not"
"""Nobody can know what else is in it."""
REMOVED = (_REMOVED, _UNREAD)
"""What becomes of those that go."""
_RUNNING = "kept: it is running"
_YOUNGER = "kept: younger than asked"


def _doom(one: Session, older_than: float, force: bool) -> str:
    try:
        state = one.state()
    except session.UNSOUND as error:
        if time.time() - _written(one) < older_than:
            return _YOUNGER
        return _UNREAD if force else f"kept, needs --force: {str(error).splitlines()[0]}"
    if time.time() - state.updated_at < older_than:
        return _YOUNGER
    if not (force or lifecycle.is_merged(one, state)):
        return f"kept, needs --force: aca merge {one.id} has not been done"
    if not force and kept.has_replaced(one):
        return (
            f"kept, needs --force: it keeps files that were replaced: aca restore --undo --session {one.id}"
        )
    if force or not (state.unfinished() or state.failed()):
        return _REMOVED
    how = "it can still be resumed" if state.unfinished() else "aca resume --failed can still mend it"
    return f"kept, needs --force: {how}"


def _written(one: Session) -> float:
    """When a session that cannot be read was written to, or was begun where its journal is gone."""
    try:
        return one.journal_path.stat().st_mtime
    except FileNotFoundError:
        return session.begun(one.id)
