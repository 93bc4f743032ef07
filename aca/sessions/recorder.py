"""What a run learns: written down and taken into the state; seen by others once it is durable."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Protocol

from aca.core import events as ev
from aca.core.fold import check
from aca.core.state import SessionState
from aca.sessions.journal import Journal

log = logging.getLogger(__name__)


class Observer(Protocol):
    """Watches, and nothing more: it cannot stop a task, and one that fails is dropped."""

    def event(self, event: ev.Event, state: SessionState) -> None: ...


class Recorder:
    """Takes events into a journal and the state that is its fold, and shows them to observers."""

    def __init__(self, state: SessionState, journal: Journal, observers: Iterable[Observer] = ()) -> None:
        self._state, self._journal = state, journal
        self._observers = list(observers)
        self._unseen: list[ev.Event] = []

    def record(self, event: ev.Event) -> ev.Event:
        """*event* as the journal has it. It is durable, and seen by others, after ``commit``.

        Raises MisplacedEventError where it cannot have happened: a bug, which no journal is to have in it.
        """
        check(event, self._state)
        stamped = self._journal.append(event)
        self._state.apply(stamped)
        self._unseen.append(stamped)
        return stamped

    def commit(self) -> None:
        """Raises MachineError when the journal cannot be written; nobody has seen anything then."""
        self._journal.commit()
        for event in self._unseen:
            self._show(event)
        self._unseen.clear()

    def _show(self, event: ev.Event) -> None:
        for observer in list(self._observers):
            try:
                observer.event(event, self._state)
            except Exception:  # whatever an observer does wrong must not cost the run
                log.exception("%s failed and is dropped", type(observer).__name__)
                self._observers.remove(observer)
