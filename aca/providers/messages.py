"""What people say to an agent while it works on a task (``aca send``).

The prompt of an attempt has everything that was said before it began. A provider that can hand its agent
more (``live`` in ``aca.providers.about``) takes what is waiting and says so; what it leaves goes into the
prompt of the next attempt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from aca.core.events import MessageSent

INTRODUCTION = "A person says, while you work on the task:"


class Messages(Protocol):
    """What was said to the agent of one attempt."""

    @property
    def said(self) -> Sequence[MessageSent]:
        """Everything, oldest first, earlier attempts included."""
        ...

    @property
    def waiting(self) -> Sequence[MessageSent]:
        """What of that no agent was told yet."""
        ...

    async def arrival(self) -> None:
        """Until something is waiting."""
        ...

    def deliver(self, message: MessageSent) -> None:
        """Note that the agent has been told; durable when this returns."""
        ...


class Silence:
    """Nobody says anything."""

    said: Sequence[MessageSent] = ()
    waiting: Sequence[MessageSent] = ()

    async def arrival(self) -> None:
        await asyncio.Event().wait()

    def deliver(self, message: MessageSent) -> None:
        pass


def in_prompt(messages: Messages) -> tuple[int, ...]:
    """The numbers of those that the prompt has: what was said by then and waits no more."""
    waiting = messages.waiting
    return tuple(message.seq for message in messages.said if message not in waiting)


def spoken(message: MessageSent) -> str:
    """How an agent at work is told."""
    return f"{INTRODUCTION}\n\n{message.text}"
