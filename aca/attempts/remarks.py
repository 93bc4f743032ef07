"""What people say to agents while they work: from the state, where it is kept, to the attempt it is for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from aca.attempts.prompt import said
from aca.core import events as ev
from aca.core.state import SessionState
from aca.plans.task import Task


class Arrivals:
    """An observer that wakes attempts when somebody has said something."""

    def __init__(self) -> None:
        self._awaited: set[asyncio.Future[None]] = set()

    def event(self, event: ev.Event, state: SessionState) -> None:
        if isinstance(event, ev.MessageSent):
            for one in self._awaited:
                if not one.done():
                    one.set_result(None)

    async def next(self) -> None:
        """Until something new has been said to anybody."""
        arrival = asyncio.get_running_loop().create_future()
        self._awaited.add(arrival)
        try:
            await arrival
        finally:
            self._awaited.discard(arrival)


class Remarks(msgspec.Struct, frozen=True):
    """``base.Messages`` of one attempt: what was said to its task, and to the groups the task is in."""

    state: SessionState
    task: Task
    attempt: int
    tell: Callable[[ev.Event], None]
    arrivals: Arrivals

    @property
    def said(self) -> Sequence[ev.MessageSent]:
        return said(self.state, self.task)

    @property
    def waiting(self) -> Sequence[ev.MessageSent]:
        return [one for one in self.said if one in self.state.states[one.task].unheard]

    async def arrival(self) -> None:
        while not self.waiting:
            await self.arrivals.next()

    def deliver(self, message: ev.MessageSent) -> None:
        if message in self.state.states[message.task].unheard:
            self.tell(ev.MessageDelivered(task=message.task, attempt=self.attempt, cause=message.seq))
