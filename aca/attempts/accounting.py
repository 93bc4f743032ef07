"""The account an attempt works on: what is asked and told, and what is kept of that in the session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import msgspec

from aca.core import events as ev
from aca.limits.account import Keeper, LimitedAccount
from aca.limits.book import Shut
from aca.limits.picture import picture
from aca.limits.windows import Window, opens
from aca.providers import base
from aca.providers.account import Account, Call, Unlimited
from aca.providers.budgeted import Budgeted
from aca.sessions import journal
from aca.sessions.session import LIMITS_FILE


class Attempt(Protocol):
    """Whose account it is."""

    limit: asyncio.Timeout | None
    """Its wall clock."""

    def show(self, step: base.Step) -> None: ...

    def tell(self, event: ev.Event) -> None: ...


@dataclass
class Accounting:
    """Between one attempt at *task* and its provider's account. *folder* is the provider's in the session."""

    attempt: Attempt
    provider: base.Provider
    keeper: Keeper
    task: str
    model: str | None
    folder: Path
    budgeted: Budgeted | None = None
    """What keeps to budgets on top, where a model is called."""
    waited: float = 0.0
    """Seconds off the clock."""
    _call: Call | None = None
    _told: dict[str, Any] = field(default_factory=dict)
    _is_answered: bool = False
    _used: Callable[[], ev.Usage | None] = lambda: None

    @property
    def account(self) -> Account:
        """What a provider asks before each call, if it does."""
        return self.budgeted or self.limited

    @cached_property
    def limited(self) -> Account:
        """What keeps to rates and windows."""
        if not self.keeper.is_shared:
            return Unlimited()  # it calls no model
        return LimitedAccount(self.keeper, self, self.task, self.model or "")

    @property
    def backoff(self) -> base.Backoff:
        limits = self.keeper.limits
        return base.Backoff(limits.backoff_multiplier, limits.max_backoff_seconds)

    @asynccontextmanager
    async def whole(self, size: int) -> AsyncIterator[None]:
        """All of the attempt is one call of *size* bytes where the provider does not ask before each."""
        one = nullcontext(None) if self.provider.asks else self.account.call(size)
        async with one as self._call:
            try:
                yield
            except BaseException:  # cut off: what it told on its way is the best that is known
                if self._call is not None and (used := self._used()) is not None:
                    self._call.used(used)
                raise

    def so_far(self, used: Callable[[], ev.Usage | None]) -> None:
        """*used* tells what a whole agent has used until now."""
        self._used = used

    def note(self, step: base.Step) -> base.Step:
        """Tell the account what *step* says of it; returns the step, with what it says clearly."""
        match step:
            case base.Limited():
                self._told = step.info
                self._hear(step.info)
            case base.Said() | base.Used() if not self._is_answered:
                self._is_answered = True
                self._hear({"status": "allowed"})
            case base.Result():
                return self._end(step)
        return step

    def shut(self) -> Shut | None:
        """Whether the account takes no calls, so that a failure is none of the task's."""
        return self.keeper.shut()

    def keep(self) -> None:
        """Write down in the session what the account knows, for whoever looks."""
        if not self.keeper.is_shared:
            return
        now = self.keeper.clock()
        known = picture(self.keeper.read(), self.keeper.limits, now)
        data = {"at": now, "account": self.keeper.account, **known, "told": self._told}
        self.folder.mkdir(exist_ok=True)
        written = msgspec.json.format(msgspec.json.encode(data), indent=2)
        journal.write_aside(self.folder / LIMITS_FILE, written + b"\n")

    def _hear(self, told: dict[str, Any]) -> None:
        if self._call is not None:
            self._call.heard(told)

    def _end(self, result: base.Result) -> base.Result:
        if result.stop == "quota" and result.until is None:
            until = opens(result.reason, self.keeper.clock())
            result = msgspec.structs.replace(result, until=until)
        if self._call is not None and result.usage is not None:
            self._call.used(result.usage)
            self._used = lambda: None
        if self._call is not None and result.stop == "failed" and result.category == "transient":
            self._call.failed("transient")
        if result.stop == "quota" and not self.provider.asks and not self.keeper.shut():
            self.keeper.close(result.reason, result.until)
        return result

    # -- what the account says to the attempt -----------------------------------------------------------

    def waits(self, reason: str, seconds: float) -> None:
        self.attempt.show(base.Waiting(reason, round(seconds, 3)))
        self.keep()

    @contextmanager
    def off_the_clock(self) -> Iterator[None]:
        """The attempt's time limit stands still."""
        limit, clock = self.attempt.limit, asyncio.get_running_loop().time
        if limit is None or (ends := limit.when()) is None:
            yield
            return
        began = clock()
        limit.reschedule(None)
        try:
            yield
        finally:
            limit.reschedule(ends + clock() - began)
            self.waited += clock() - began

    def neared(self, name: str, window: Window) -> None:
        self.attempt.tell(
            ev.WindowNeared(
                provider=self.provider.name,
                window=name,
                share=round(window.share, 4),
                until=window.ends,
                runs_out=window.runs_out(self.keeper.clock()),
            )
        )
