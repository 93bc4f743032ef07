"""What other processes tell a session: handed to its runner, or recorded here where it has none."""

from __future__ import annotations

import time
from collections.abc import Callable

from aca.errors import SessionInUseError
from aca.preparation.prepare import effective
from aca.sessions.messages import Message, absorb
from aca.sessions.recorder import Recorder
from aca.sessions.session import Session

PATIENCE = 2.0
"""Seconds until a live runner, which looks several times a second, has read what there is."""


def tell(one: Session, message: Message) -> bool:
    """Hand a message to the session. True when a live runner reads it, False when it is recorded here."""
    return _hand_over(one, one.send(message))


def tell_in_time(one: Session, message: Message, check: Callable[[], object]) -> bool:
    """The same for what counts only as long as *check* raises nothing, which is tried before and, where the
    message had come too late, again: nobody is to believe that it was heeded."""
    check()
    sent = one.send(message)
    is_read = _hand_over(one, sent)
    until = time.monotonic() + PATIENCE
    while one.keeps(sent) and time.monotonic() < until:
        time.sleep(0.02)
    if not (one.keeps(sent) or sent in one.state().messages):
        check()
    return is_read


def _hand_over(one: Session, sent: str) -> bool:
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
