"""From the events of a journal to the state they add up to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from aca.core import events as ev
from aca.core.misplaced import misplaced
from aca.core.state import SessionState

AnyState = TypeVar("AnyState", bound=SessionState)


class MisplacedEventError(ValueError):
    """Event *seq*, sound by itself, does not fit what was there before it; the message says why."""

    def __init__(self, seq: int, why: str) -> None:
        self.seq = seq
        super().__init__(why)


def fold(state: AnyState, events: Iterable[ev.Event]) -> AnyState:
    """*state*, a new one, after *events*, which are those of one journal from its first line on.

    Raises MisplacedEventError.
    """
    for event in events:
        check(event, state)
        state.apply(event)
    return state


def check(event: ev.Event, state: SessionState) -> None:
    """Raises MisplacedEventError where *event* cannot be the next one after *state*."""
    if why := misplaced(event, state):
        raise MisplacedEventError(state.seq + 1, why)
