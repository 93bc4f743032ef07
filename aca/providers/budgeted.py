"""An account that keeps to budgets: each call is reserved before it is made, and counted when it is over.

It holds another account, which may wait for rates; money and tokens are its own. Both ends of a call are in
the journal before anything else happens, so that a kill in between loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, nullcontext
from typing import Any

import msgspec

from aca.core import events as ev
from aca.core.spent import add_usage
from aca.core.state import SessionState
from aca.plans.plan import Plan
from aca.plans.task import Task
from aca.providers import model_of
from aca.providers.about import about
from aca.providers.account import Account, Call, SpentError
from aca.providers.base import Errand
from aca.providers.models.trouble import UNREACHED, Kind
from aca.providers.prices import Tariff, tariff
from aca.rules import budget

BYTES_PER_TOKEN = 3.5
"""Of prompts and code, for a first estimate; the answers tell how many tokens it really was."""
LONGEST = 16_384
"""Tokens of an answer that nobody limits: what is reserved for it, and asked for where there is a cap."""
LEAST = 500
"""Tokens of an answer with which a model can still get on: with less room a call is not worth its input."""
LEAST_USD = 0.01
"""What a whole agent is allowed at least: about one turn of a small model."""


class Purse(msgspec.Struct):
    """What the attempts of one run spend from: the session's state, and how many may run at once."""

    state: SessionState
    at_once: int
    closed: str = ""
    """Why no further call is made at all, once the session's own cap has refused one."""
    _settled: asyncio.Event = msgspec.field(default_factory=asyncio.Event)

    def settle(self) -> None:
        """A call is over: whoever waits for room may look again."""
        self._settled.set()
        self._settled = asyncio.Event()

    async def settlement(self) -> None:
        """Until a call is over."""
        await self._settled.wait()


class _Reserve(msgspec.Struct, frozen=True):
    """What is set aside for one call."""

    usage: ev.Usage
    longest: int | None = None


class Budgeted:
    """The account of one attempt. With ``asks`` a call is one request, else the work of a whole agent."""

    def __init__(
        self,
        purse: Purse,
        task: Task,
        attempt: int,
        tariff: Tariff,
        below: Account,
        tell: Callable[[ev.Event], None],
        *,
        asks: bool,
        tells_cost: bool = True,
        off_the_clock: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._purse, self._task, self._attempt, self._tariff = purse, task, attempt, tariff
        self._below, self._tell, self._asks = below, tell, asks
        self._tells_cost = tells_cost
        self._off_the_clock = off_the_clock
        self._caps = budget.caps(purse.state, task)
        self._calls = 0
        self._seen = (0, 0)
        """Bytes sent with the last call, and the tokens these were."""
        self.used: ev.Usage | None = ev.Usage(cost_usd=0.0)
        """By all calls of the attempt; None where one did not tell."""
        self.refusal: budget.Refusal | None = None
        """Why a call was not made."""
        self.allowed_usd: float | None = None
        """What the agent may spend in the call that is under way, where there is a cap."""

    def call(self, size: int, longest: int | None = None) -> AbstractAsyncContextManager[Call]:
        """The right to make one call, as ``account.Account`` has it."""
        return self._call(size, longest)

    async def pause(self, seconds: float) -> None:
        """A wait before the next try, as ``account.Account`` has it."""
        await self._below.pause(seconds)

    @asynccontextmanager
    async def _call(self, size: int, longest: int | None) -> AsyncIterator[Call]:
        await self._reserve(size, longest)
        async with self._below.call(size, longest) as below:
            try:  # once more: while this one waited, somebody else may have taken the room
                reserve = await self._reserve(size, below.longest)
            except SpentError:
                below.used(ev.Usage())
                raise
            call = _Counted(below, reserve, self._tariff, asks=self._asks)
            self._begin(reserve)
            try:
                yield call
            except BaseException:
                call.is_cut_off = True
                raise
            finally:
                self._end(call, size)

    def _begin(self, reserve: _Reserve) -> None:
        self._calls += 1
        self.allowed_usd = None if self._asks else reserve.usage.cost_usd
        self._tell(
            ev.CallStarted(
                task=self._task.id,
                attempt=self._attempt,
                call=self._calls,
                provider=self._tariff.provider,
                model=self._tariff.model,
                reserved=reserve.usage,
            )
        )

    def _end(self, call: _Counted, size: int) -> None:
        usage, estimated = call.outcome()
        if call.told is not None:
            self._seen = size, call.told.tokens - call.told.output_tokens
        self.used = add_usage(self.used, usage) if self.used is not None and usage is not None else None
        self._tell(
            ev.CallEnded(
                task=self._task.id, attempt=self._attempt, call=self._calls, usage=usage, estimated=estimated
            )
        )
        self._purse.settle()

    # -- what is set aside ----------------------------------------------------------------------------

    async def _reserve(self, size: int, longest: int | None) -> _Reserve:
        """What the call may take, after waiting for what others have set aside. Raises SpentError."""
        tokens = self._estimate(size)
        while True:
            self._refuse(tokens, longest)
            room = budget.common_room(self._purse.state, self._caps)
            if reserve := self._fitting(tokens, longest, room):
                return reserve
            with self._off_the_clock():
                await self._purse.settlement()

    def _estimate(self, size: int) -> int:
        """The tokens that so many bytes are: those of the last call as it told, and what is new since."""
        bytes_seen, tokens_seen = self._seen
        return tokens_seen + round(max(0, size - bytes_seen) / BYTES_PER_TOKEN)

    def _refuse(self, tokens: int, longest: int | None) -> None:
        """Raises SpentError where there will be no room, whatever comes of the calls under way."""
        if self._purse.closed:
            self.refusal = budget.Refusal(budget.Cap(self._purse.state.plan.limits), self._purse.closed)
            raise SpentError(self._purse.closed)
        for cap in self._caps:
            room = budget.room(self._purse.state, cap, reserved=False)
            if self._fitting(tokens, longest, room) is None:
                told = budget.shortage(self._purse.state, cap, self._least(tokens, longest))
                self.refusal = budget.Refusal(cap, told)
                if cap.is_whole:
                    self._purse.closed = told
                raise SpentError(told)

    def _least(self, tokens: int, longest: int | None) -> ev.Usage:
        """What the smallest call worth making could take."""
        if self._asks:
            return self._costs(tokens, min(LEAST, longest or LEAST))
        return ev.Usage(input_tokens=tokens, cost_usd=LEAST_USD)

    def _fitting(self, tokens: int, longest: int | None, room: budget.Room) -> _Reserve | None:
        """What of a call fits into *room*, None where that is not enough to make it."""
        if not self._asks:
            return self._share(tokens, room)
        wanted = longest or LONGEST
        pays = self._affordable(tokens, room.cost_usd)
        fits = int(min(wanted, room.tokens - tokens, pays + budget.EPSILON))
        if fits < min(LEAST, wanted):
            return None
        is_capped = any(limit < budget.INFINITE for limit in (room.tokens, room.cost_usd))
        return _Reserve(self._costs(tokens, fits), fits if is_capped else longest)

    def _affordable(self, tokens: int, dollars: float) -> float:
        """How long an answer so many dollars pay, after the input."""
        given, more = self._costs(tokens, 0).cost_usd, self._costs(tokens, LONGEST).cost_usd
        if given is None or more is None:
            return budget.INFINITE if dollars > budget.EPSILON else -1
        if more == given:
            return budget.INFINITE if given <= dollars else -1
        return (dollars - given) / (more - given) * LONGEST

    def _costs(self, given: int, made: int) -> ev.Usage:
        """The dearest that a call of so many tokens can come to: all of its input may be new to the cache."""
        as_input = ev.Usage(input_tokens=given, output_tokens=made)
        as_written = ev.Usage(cache_write_tokens=given, output_tokens=made)
        costs = [self._tariff.cost(one) for one in (as_input, as_written)]
        known = [cost for cost in costs if cost is not None]
        cost = max(known) if len(known) == len(costs) else None
        return msgspec.structs.replace(as_input, cost_usd=cost)

    def _share(self, tokens: int, room: budget.Room) -> _Reserve | None:
        """A whole agent's part of what is left: all of its task's own, and as many get one of the rest as
        may run at once."""
        if room.tokens < tokens or room.cost_usd < LEAST_USD:
            return None
        usage = ev.Usage(input_tokens=tokens)
        if room.cost_usd == budget.INFINITE or not self._tells_cost:
            return _Reserve(usage)
        state = self._purse.state
        common = budget.common_room(state, (cap for cap in self._caps if cap.task != self._task.id))
        parts = max(1, self._purse.at_once - len(state.calls))
        allowed = max(LEAST_USD, min(room.cost_usd, common.cost_usd / parts))
        return _Reserve(msgspec.structs.replace(usage, cost_usd=allowed))


class _Counted:
    """One call: what it tells goes on to the account below, and is kept."""

    def __init__(self, below: Call, reserve: _Reserve, tariff: Tariff, *, asks: bool) -> None:
        self._below, self._reserve, self._tariff, self._asks = below, reserve, tariff, asks
        self.longest = reserve.longest
        self.told: ev.Usage | None = None
        self.is_cut_off = False
        """Ended by us, and not by whom was called."""
        self._status: object = None
        """What the answer said of itself: of HTTP, or "allowed" where an agent has begun."""
        self._has_failed = False

    def heard(self, told: Mapping[str, Any]) -> None:
        self._status = told.get("status", self._status)
        self._below.heard(told)

    def used(self, usage: ev.Usage) -> None:
        self.told = usage
        self._below.used(usage)

    def failed(self, kind: Kind, until: float | None = None) -> None:
        self._has_failed = True
        self._below.failed(kind, until)

    def outcome(self) -> tuple[ev.Usage | None, bool]:
        """What it used, and whether that is a guess: all that was reserved, or what it told until cut off."""
        if self.told is not None:
            used = msgspec.structs.replace(self.told, cost_usd=self._tariff.cost(self.told))
            is_partial = self.is_cut_off and not self._asks
            if not is_partial or used.cost_usd is not None:
                return used, is_partial
        if self._asks:
            return (ev.Usage(cost_usd=0.0), False) if self._is_refused else (self._reserve.usage, True)
        if self._reserve.usage.cost_usd is not None and (self.is_cut_off or self._status is not None):
            return self._reserve.usage, True
        return None, False

    @property
    def _is_refused(self) -> bool:
        """Whether the server did nothing: an answer that breaks off is paid for all the same."""
        is_error = isinstance(self._status, int) and self._status >= 400
        return self._has_failed and (is_error or self._status == UNREACHED)


def uncounted(plan: Plan, used: Mapping[str, Sequence[Errand]]) -> Iterator[str]:
    """Who of *used* (provider -> its errands) works at a cost nobody will know, though *plan* limits cost."""
    if not budget.limits_cost(plan):
        return
    for name, errands in used.items():
        given = plan.providers.get(name, {})
        models = dict.fromkeys(model_of(name, given, one.model) for one in errands)
        for model in () if about(name, given).can.cost else models:
            if not tariff(plan, name, model).is_known:
                yield _uncounted(name, model)


def _uncounted(provider: str, model: str | None) -> str:
    who = ", ".join(filter(None, (provider, model)))
    price = f'give its price as [prices."{model}"], or ' if model else ""
    return f"what {who} costs is not known, and no cost limit can count it: {price}limit its tokens"
