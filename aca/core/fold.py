"""From the events of a journal to the state they add up to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from pydantic import ValidationError

from aca.core import events as ev
from aca.core.misplaced import misplaced
from aca.core.state import SessionState


class MisplacedEventError(ValueError):
    """Event *seq*, sound by itself, does not fit what was there before it; the message says why."""

    def __init__(self, seq: int, why: str) -> None:
        self.seq = seq
        super().__init__(why)


AnyState = TypeVar("AnyState", bound=SessionState)


def fold(state: AnyState, events: Iterable[ev.Event]) -> AnyState:
    """*state*, a new one, after *events*, which are those of one journal from its first line on.

    Raises MisplacedEventError.
    """
    for event in events:
        try:
            if why := misplaced(event, state.states):
                raise MisplacedEventError(event.seq, why)
            state.apply(event)
        except KeyError as error:
            if not _names(event, error.args[0]):
                raise
            raise MisplacedEventError(event.seq, f"it is about {error}, which there is not") from error
        except ValidationError as error:
            raise MisplacedEventError(event.seq, f"what it adds is no task: {error}") from error
    return state


def _names(event: ev.Event, key: object) -> bool:
    """Whether *key* is what *event* says that it is about: a task, a call, or the group of a task it adds."""
    call = getattr(event, "task", None), getattr(event, "call", None)
    added = (*getattr(event, "tasks", ()), getattr(event, "proposal", {}))
    return key == call or key in (call[0], *(task.get("parent_id") for task in added))
