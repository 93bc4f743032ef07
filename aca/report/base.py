"""The seam to whoever watches a run: events, steps of agents, remarks. A reporter changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from aca.core import events as ev
from aca.core.state import SessionState
from aca.providers.base import Step

Write = Callable[[str], None]
"""Takes one line, without its newline."""


class Reporter:
    """Shows nothing but remarks, and is the base of those that show more.

    Used as a context around a run. ``state`` is the session's, as of the latest event.
    """

    def __init__(self, write: Write, state: SessionState) -> None:
        self.write = write
        self.state = state

    def __enter__(self) -> Reporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The run is over: in good order, or by *error*."""

    def event(self, event: ev.Event, state: SessionState) -> None:
        """Something happened, durably."""
        self.state = state

    def step(self, task_id: str, step: Step) -> None:
        """An agent did something."""

    def notice(self, text: str) -> None:
        """A remark about the run as a whole."""
        self.write(text)


class Tally:
    """How many tasks, groups aside, are settled: kept by each event, never counted anew."""

    def __init__(self, state: SessionState) -> None:
        self._settled = {task_id for task_id in state.leaves() if state.states[task_id].settled}

    def note(self, event: ev.Event, state: SessionState) -> None:
        task_id = getattr(event, "task", None)
        if task_id is None or task_id in state.children:
            return
        if state.states[task_id].settled:
            self._settled.add(task_id)
        else:
            self._settled.discard(task_id)

    def text(self, state: SessionState) -> str:
        """``3/7``."""
        return f"{len(self._settled)}/{len(state.tasks) - len(state.children)}"
