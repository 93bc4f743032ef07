"""What ``aca resume`` goes on with: a session, or one of its checkpoints. Nothing here writes anything."""

from __future__ import annotations

from pathlib import Path

import msgspec

from aca.core import events as ev
from aca.core.state import SessionState
from aca.errors import DamagedJournalError, SessionError
from aca.sessions import session
from aca.sessions.session import Session
from aca.sessions.whereabouts import none_yet


class Resumption(msgspec.Struct, frozen=True):
    """What ``aca resume`` goes on with: *origin* itself or, with ``until``, a fork of its first events.

    ``state`` is where that stands, with everything pending again that is to be.
    """

    origin: Session
    state: SessionState
    until: int | None = None


def to_resume(workspace: Path, name: str | None, failed: bool = False) -> Resumption:
    """What ``aca resume NAME`` means: the newest unfinished session, a named one, or a checkpoint.

    A checkpoint with others after it is an older one: it becomes a session of its own. Writes nothing.
    """
    found = _meant(workspace, name, failed)
    for event in reopenings(found.state) if failed else ():
        found.state.apply(event)
    return found


def _meant(workspace: Path, name: str | None, failed: bool) -> Resumption:
    if name is None:
        return _newest_unfinished(workspace, failed)
    if ":" not in name and any(one.id.startswith(name) for one in session.listing(workspace)):
        one = session.find(workspace, name)
        return Resumption(one, one.state())
    try:
        found = session.find_checkpoint(workspace, name)
    except DamagedJournalError:
        found = None  # what stands before the damage can still be gone on with
    if found is None:
        one = session.find(workspace, name.partition(":")[0])
        return _from_any_event(one, name.partition(":")[2])
    one, state, checkpoint = found
    if checkpoint.seq >= max(known.seq for known in state.checkpoints):
        return Resumption(one, state)
    return Resumption(one, one.state(checkpoint.seq), checkpoint.seq)


def _newest_unfinished(workspace: Path, failed: bool) -> Resumption:
    newest: Resumption | None = None
    for one, state in session.sound(workspace, newest_must_be=True):
        newest = newest or Resumption(one, state)
        if state.unfinished() or (failed and state.failed()):
            return Resumption(one, state)
    if newest is None:
        raise none_yet(workspace)
    return newest


def _from_any_event(one: Session, number: str) -> Resumption:
    """From any event on, also in front of damage: ``SESSION:NUMBER``."""
    until = int(number) if number.isdecimal() else 0
    state = one.state(until) if until else None
    if state is None or state.seq < until:
        raise SessionError(f'"{number}" is no checkpoint of session {one.id}: see aca --list-checkpoints')
    return Resumption(one, state, until)


def reopenings(state: SessionState) -> list[ev.TaskReopened]:
    """What makes every failed task pending again, and what was skipped because of one."""
    dead = (task_id for task_id, task in state.states.items() if task.dead)
    reason = "asked for by --failed"
    return [ev.TaskReopened(seq=state.seq, at=state.updated_at, task=one, reason=reason) for one in dead]
