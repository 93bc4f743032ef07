"""What other processes tell a session: handed to its runner, or recorded here where it has none."""

from __future__ import annotations

from aca.core.state import SessionState
from aca.errors import SessionError, SessionInUseError, did_you_mean
from aca.preparation.prepare import effective
from aca.sessions.messages import Message, absorb
from aca.sessions.recorder import Recorder
from aca.sessions.session import Session


def tell(one: Session, message: Message) -> bool:
    """Hand a message to the session. True when a live runner reads it, False when it is recorded here."""
    sent = one.send(message)
    try:
        with one.lock():
            state = one.take_up()
            state.plan = effective(one.plan, state.overrides)
            was_read = sent in state.messages  # by a runner that has ended since
            names = [name for name, _ in one.messages()]
            with one.writing(state) as written:
                recorder = Recorder(state, written)
                for name, entry in one.messages():
                    if entry is not None and name not in state.messages:
                        for event in absorb(state, name, entry):
                            recorder.record(event)
                recorder.commit()
            one.forget(names)
    except SessionInUseError:
        return True
    return was_read


def waiting(one: Session, task_id: str) -> SessionState:
    """The session's state, after making sure that *task_id* is an approval that is still open."""
    state = one.state()
    if task_id not in state.tasks:
        cure = did_you_mean(task_id, state.tasks)
        raise SessionError(f'session {one.id} has no task "{task_id}"\n   {cure}')
    task, now = state.tasks[task_id], state.states[task_id]
    if task.kind != "approval" and not (now.proposed and now.status == "blocked"):
        raise SessionError(f'"{task_id}" is of kind {task.kind}, not an approval')
    if now.settled:
        told = now.summary or now.reason
        raise SessionError(f'"{task_id}" is {now.status} already' + (f": {told}" if told else ""))
    # Of what follows nobody has made anything since: no run has gone on.
    if cancelled := state.cancelled.get(task_id):
        raise SessionError(f'"{task_id}" is cancelled already by {cancelled.by}')
    if now.answer is not None:
        word = "approved" if now.answer.approved else "rejected"
        cure = f"\n   aca cancel {task_id} takes that back: the task fails" if now.answer.approved else ""
        raise SessionError(f'"{task_id}" is {word} already by {now.answer.by}{cure}')
    return state
