"""An account that keeps to limits: it lets each call wait for its turn, and learns from what came of it."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from types import TracebackType
from typing import Any, Protocol

import msgspec

from aca.core.events import Usage
from aca.limits.book import Asking, Book, Failure, Go, Hold, Shut
from aca.limits.shared import Shelf
from aca.limits.windows import Window
from aca.plans.settings import RateLimiting
from aca.providers.account import ClosedError
from aca.providers.models.trouble import BUSY, Kind

SHOWN = 1.0
"""Seconds; who waits for less says nothing of it."""
BLAMELESS = {429, 502, 503, 504, 529}
"""HTTP statuses of a provider that cannot serve anybody now, whatever is asked."""


class Caller(Protocol):
    """Who asks: an attempt."""

    def waits(self, reason: str, seconds: float) -> None:
        """It waits, for about that long."""
        ...

    def off_the_clock(self) -> AbstractContextManager[None]:
        """While it waits its own time limit stands still."""
        ...

    def neared(self, name: str, window: Window) -> None:
        """A window of the account is nearly used up."""
        ...


class Keeper(msgspec.Struct):
    """One account of a provider, as this process uses it. Clock and sleep are in seconds."""

    provider: str
    account: str
    limits: RateLimiting
    shelf: Shelf
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    alive: Callable[[str], bool] = msgspec.field(default_factory=lambda: Living().alive)
    is_shared: bool = True
    """Whether calls count: those of a provider that calls no model do not."""

    @contextmanager
    def change(self) -> Iterator[Book]:
        """The account's book, to be changed."""
        with self.shelf.change(self.account) as book:
            book.provider = self.provider
            yield book

    def read(self) -> Book:
        """The account's book as it is now."""
        return self.shelf.read(self.account)

    def shut(self) -> Shut | None:
        """Why it takes no calls now, and until when."""
        return self.read().shut(self.limits, self.clock())

    def is_probed(self) -> bool:
        """Whether one call is being made, to see if it takes any."""
        book = self.read()
        return book.is_trying and book.is_probed(self.alive)

    def close(self, reason: str, until: float | None) -> None:
        """It takes no calls until *until*, where that is known."""
        with self.change() as book:
            book.close(reason, until, self.clock())


class LimitedAccount(msgspec.Struct, frozen=True):
    """The account of one attempt at *task* with *model*."""

    keeper: Keeper
    caller: Caller
    task: str
    model: str

    def call(self, size: int, longest: int | None = None) -> LimitedCall:
        return LimitedCall(self, size, longest)

    async def pause(self, seconds: float) -> None:
        if seconds >= SHOWN:
            self.caller.waits(f"the next try with {self.keeper.provider}", seconds)
        with self.caller.off_the_clock():
            await self.keeper.sleep(seconds)


class LimitedCall:
    """One call: in line, on its way, over."""

    def __init__(self, account: LimitedAccount, size: int, longest: int | None) -> None:
        self.longest = longest
        self._keeper, self._caller = account.keeper, account.caller
        who = uuid.uuid4().hex
        self._asking = Asking(who, owner(), account.task, account.model, size, longest)
        self._usage: Usage | None = None
        self._failure: Failure | None = None
        self._status: object = None
        self._told: tuple[str, float] = ("", 0.0)

    # -- what the provider does with it -----------------------------------------------------------------

    def heard(self, told: Mapping[str, Any]) -> None:
        self._status = told.get("status", self._status)
        with self._keeper.change() as book:
            book.hear(self._asking.id, told, self._keeper.limits, self._keeper.clock())
            news = list(book.news())
        self._warn(news)

    def used(self, usage: Usage) -> None:
        self._usage = usage

    def failed(self, kind: Kind, until: float | None = None) -> None:
        status = f"HTTP {self._status}" if isinstance(self._status, int) else "no answer"
        if kind == "quota" and self._status in BUSY:
            reason = f"{self._keeper.provider} takes no calls for now ({status})"
        else:
            reason = f"{self._keeper.provider}'s quota window is closed" if kind == "quota" else status
        self._failure = Failure(kind, until, self._status in BLAMELESS, reason)

    # -- its course -------------------------------------------------------------------------------------

    async def __aenter__(self) -> LimitedCall:
        try:
            hold = self._ask()
            if hold is not None:
                with self._caller.off_the_clock():
                    await self._wait(hold)
        except BaseException:
            with self._keeper.change() as book:
                book.leave(self._asking.id)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        now = self._keeper.clock()
        with self._keeper.change() as book:
            if error is None and self._failure is None:
                book.succeeded(self._asking.id)
            book.end(self._asking.id, self._usage, self._failure, self._keeper.limits, now)
            news = list(book.news())
        self._warn(news)

    def _warn(self, news: Iterable[tuple[str, Window]]) -> None:
        for name, window in news:
            self._caller.neared(name, window)

    async def _wait(self, hold: Hold | None) -> None:
        while hold is not None:
            self._tell(hold)
            await self._keeper.sleep(hold.seconds)
            hold = self._ask()

    def _ask(self) -> Hold | None:
        """None when the call may be made. Raises ClosedError."""
        keeper = self._keeper
        with keeper.change() as book:
            answer = book.ask(self._asking, keeper.limits, keeper.clock(), keeper.alive)
        match answer:
            case Go():
                return None
            case Hold():
                return answer
            case Shut():
                raise ClosedError(answer.reason, answer.until)

    def _tell(self, hold: Hold) -> None:
        """Say that it waits: once for each reason, and again where it takes longer than was said."""
        reason, until = self._told
        now = self._keeper.clock()
        if hold.expected >= SHOWN and (reason != hold.reason or now > until + SHOWN):
            self._told = hold.reason, now + hold.expected
            self._caller.waits(hold.reason, hold.expected)


# -- processes ----------------------------------------------------------------------------------------------


@cache
def owner() -> str:
    """This process, told apart from any other that ever had its number."""
    import psutil

    return f"{os.getpid()}:{psutil.Process().create_time():.2f}"


class Living:
    """Which processes are there, looked up at most once in *seconds* for each."""

    def __init__(self, seconds: float = 1.0) -> None:
        self._seconds = seconds
        self._seen: dict[str, tuple[float, bool]] = {}

    def alive(self, owner_of: str) -> bool:
        if owner_of == owner():
            return True
        at, is_there = self._seen.get(owner_of, (0.0, False))
        now = time.monotonic()
        if now - at > self._seconds:
            is_there = _is_there(owner_of)
            self._seen[owner_of] = (now, is_there)
        return is_there


def _is_there(owner_of: str) -> bool:
    import psutil

    pid, _, began = owner_of.partition(":")
    with suppress(psutil.Error, ValueError):
        return abs(psutil.Process(int(pid)).create_time() - float(began)) < _SAME
    return False


_SAME = 2.0
"""Seconds by which two processes may disagree about when a third one began."""
