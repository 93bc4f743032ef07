"""Whose limits and money a call of a model counts against: what a provider asks before it and tells after it.

A provider that calls a model itself (``asks = True``) opens a ``call`` around each request. An agent that
calls its model on its own gets one call around the whole attempt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Protocol

from aca.core.events import Usage
from aca.providers.models.trouble import Kind


class ClosedError(Exception):
    """The account takes no calls now; ``until`` is the Unix time it opens again, where that is known."""

    def __init__(self, reason: str, until: float | None = None) -> None:
        self.reason, self.until = reason, until
        super().__init__(reason)


class SpentError(Exception):
    """A budget has no room for this call."""


class Call(Protocol):
    """One call, from when it may be made until it is over. One that tells no usage used what was reserved."""

    longest: int | None
    """The longest answer that may be asked for, in tokens."""

    def heard(self, told: Mapping[str, Any]) -> None:
        """What the answer says of limits: headers, or an agent's own event."""
        ...

    def used(self, usage: Usage) -> None:
        """What it used. Of several the last one counts."""
        ...

    def failed(self, kind: Kind, until: float | None = None) -> None:
        """It came to nothing; *until* is the Unix time before which no other one is wanted."""
        ...


class Account(Protocol):
    """The account of one attempt."""

    def call(self, size: int, longest: int | None = None) -> AbstractAsyncContextManager[Call]:
        """The right to make one call that sends *size* bytes and asks for *longest* tokens at most.

        Waits for as long as rates ask for. Raises ClosedError and SpentError.
        """
        ...

    async def pause(self, seconds: float) -> None:
        """Wait before a call that came to nothing is made again: the attempt's time stands still."""
        ...


class _Unlimited:
    def __init__(self, longest: int | None) -> None:
        self.longest = longest

    def heard(self, told: Mapping[str, Any]) -> None:
        pass

    def used(self, usage: Usage) -> None:
        pass

    def failed(self, kind: Kind, until: float | None = None) -> None:
        pass


class Unlimited:
    """Nobody counts: for one call to see whether a provider answers, and for those that call no model."""

    def call(self, size: int, longest: int | None = None) -> AbstractAsyncContextManager[Call]:
        return nullcontext(_Unlimited(longest))

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
