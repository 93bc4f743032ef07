"""What is known of one account, and how it changes when somebody asks, is told something, or is done.

Pure: the time and who is alive are arguments. Whoever keeps a book (``shared``) lets one process at a time
change it, so every change here is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from aca.core.events import Usage
from aca.limits import headers
from aca.limits.estimate import Estimate
from aca.limits.outage import Outage
from aca.limits.rates import MINUTE, Pool, Rate
from aca.limits.windows import OWN, Closure, Window, noted
from aca.plans.settings import RateLimiting
from aca.providers.models.trouble import LONGEST_PAUSE, Kind

FORGOTTEN = 10.0
"""Seconds after which somebody who waits and does not ask again is no longer waited for."""
POLL = 0.25
"""Seconds between two looks of whoever is next at what others do meanwhile."""
SOON = 0.02
"""Seconds within which somebody who is first in line, and may go, does."""
WIDE = 100.0
"""A provider that takes so many calls at once has as good as no limit of that kind."""
BURST = 10.0
"""Seconds' worth that may be used at once where the plan does not say how much."""
NO_RATE = Rate(1e12, 1e12)
"""More than anybody uses."""
WIDENED = 30.0
"""Seconds in which twice as many may call at once after a closing, while it is not too much for anybody."""
NARROW_FOR = 3600.0
"""Seconds after which nobody minds that it was too much, or closed."""
TOLD_FOR = 3600.0
"""Seconds for which a limit is believed that a provider told."""
CACHED_IS_FREE = ("anthropic", "claude-cli")
"""Providers that say that input read from their cache does not count."""

Alive = Callable[[str], bool]
"""Whether a process, as ``owner`` names it, is still there."""


class Asking(msgspec.Struct, frozen=True):
    """Somebody who wants to call: who, for which task, with which model, and about how much."""

    id: str
    owner: str
    task: str
    model: str
    size: int
    longest: int | None


class Go(msgspec.Struct, frozen=True):
    """The call may be made. ``probe``: it is the only one, to see whether the account takes any."""

    probe: bool


class Hold(msgspec.Struct, frozen=True):
    """Not yet, for about ``expected`` seconds; ask again after ``seconds``, so that nothing is missed."""

    seconds: float
    expected: float
    reason: str


class Shut(msgspec.Struct, frozen=True):
    """Not for long: until ``until`` where that is known. One call may try at ``again``."""

    reason: str
    until: float | None
    again: float
    is_outage: bool = False
    """Nobody is answered, as opposed to a window that is closed."""


class Failure(msgspec.Struct, frozen=True):
    """A call came to nothing; ``blameless``: surely not because of what it asked for."""

    kind: Kind
    until: float | None
    blameless: bool
    reason: str = ""


class Waiter(msgspec.Struct):
    """Somebody in line."""

    id: str
    seen: float
    sent: float
    answered: float


class Flight(msgspec.Struct):
    """A call that is being made, and what was reserved for it."""

    owner: str
    task: str
    model: str
    size: int
    begun: float
    sent: float
    answered: float
    probe: bool


class Told(msgspec.Struct):
    """A limit that the provider told, and when."""

    limit: float
    at: float


class Book(msgspec.Struct):
    """One account, of which ``provider`` is the name people know."""

    provider: str = ""
    pools: dict[str, Pool] = {}
    told: dict[str, Told] = {}
    line: list[Waiter] = []
    flights: dict[str, Flight] = {}
    width: float | None = None
    """How many calls may be made side by side; None where the provider never had too many."""
    narrowed: float = 0.0
    """When that was last halved; calls begun before that have nothing new to say."""
    reopened: float = 0.0
    """When the call was begun that found a closing over; 0 once that was followed by too many."""
    overloads: int = 0
    """Answers in a row that it is too much."""
    quiet_until: float = 0.0
    """Nobody calls before: the provider wants a pause."""
    closure: Closure | None = None
    outage: Outage = msgspec.field(default_factory=Outage)
    windows: dict[str, Window] = {}
    models: dict[str, Estimate] = {}

    # -- asking ---------------------------------------------------------------------------------------

    def ask(self, asking: Asking, limits: RateLimiting, now: float, alive: Alive) -> Go | Hold | Shut:
        """May this call be made now? Whoever is told to wait is in line until it asks no more."""
        self._bury(now, alive)
        self._widen(now)
        if shut := self.shut(limits, now):
            self.leave(asking.id)
            return shut
        if self.is_trying and self.is_probed(alive):
            told = f"{self.provider}: one call tries whether it takes calls again"
            return Hold(4 * POLL, 4 * POLL, told)
        waiter = self._waiter(asking, now)
        ahead = self.line[: self.line.index(waiter) + 1]
        seconds, reason = self._wait(ahead, limits, now)
        if seconds > 0:
            return Hold(min(seconds, POLL * min(len(ahead), 8)), seconds, reason)
        if len(ahead) > 1:
            return Hold(SOON, SOON, f"{self.provider}: others are first")
        return self._begin(asking, waiter, limits, now)

    def shut(self, limits: RateLimiting, now: float) -> Shut | None:
        """Why no call is taken now, and until when; None where one is, be it to try."""
        found = []
        if self.closure and now < self.closure.again:
            found.append(Shut(self.closure.reason, self.closure.until, self.closure.again))
        if self.outage.is_on and now < self.outage.until:
            why = f"{self.provider} does not answer: {self.outage.reason}"
            found.append(Shut(why, None, self.outage.until, is_outage=True))
        own = self.windows.get(OWN)
        most = limits.max_tokens_per_session
        if most and own and own.ends and now < own.ends and own.tokens >= most:
            why = f"the {most:,} tokens of max_tokens_per_session are used"
            found.append(Shut(why, own.ends, own.ends))
        return max(found, key=lambda shut: shut.again, default=None)

    @property
    def is_trying(self) -> bool:
        """Whether it is not known if calls are taken, so that only one is made."""
        return self.closure is not None or self.outage.is_on

    def is_probed(self, alive: Alive) -> bool:
        """Whether a call is being made to find that out."""
        return any(flight.probe and alive(flight.owner) for flight in self.flights.values())

    def leave(self, asking: str) -> None:
        """Somebody waits no longer."""
        self.line = [waiter for waiter in self.line if waiter.id != asking]

    def _bury(self, now: float, alive: Alive) -> None:
        """Forget who has died: the line does not wait for it, and what it reserved counts as used."""
        self.line = [one for one in self.line if now - FORGOTTEN < one.seen < now + FORGOTTEN]
        dead = [name for name, flight in self.flights.items() if not alive(flight.owner)]
        for name in dead:
            del self.flights[name]

    def _waiter(self, asking: Asking, now: float) -> Waiter:
        for waiter in self.line:
            if waiter.id == asking.id:
                waiter.seen = now
                return waiter
        estimate = self.models.get(asking.model, Estimate())
        waiter = Waiter(
            asking.id, now, estimate.sent(asking.size), estimate.answered(asking.size, asking.longest)
        )
        self.line.append(waiter)
        return waiter

    def _wait(self, ahead: list[Waiter], limits: RateLimiting, now: float) -> tuple[float, str]:
        """How long the last of *ahead* waits if the others go first, and for what."""
        waits = [(self.quiet_until - now, f"{self.provider} wants a pause")]
        for name, rate in self.rates(limits, now).items():
            amount = sum(_amount(name, waiter.sent, waiter.answered) for waiter in ahead)
            pool = self.pools.setdefault(name, Pool(at=now))
            waits.append((pool.wait(amount, rate, now), f"{self.provider} {_kind(name)}/min"))
        if self.width is not None and self._in_flight() >= max(1, int(self.width)):
            many = max(1, int(self.width))
            waits.append((POLL, f"{self.provider} is overloaded: {many} at once for now"))
        return max(waits)

    def _begin(self, asking: Asking, waiter: Waiter, limits: RateLimiting, now: float) -> Go:
        self.leave(waiter.id)
        for name, rate in self._all_rates(limits, now).items():
            pool = self.pools.setdefault(name, Pool(at=now))
            pool.use(_amount(name, waiter.sent, waiter.answered), rate, now)
        probe = self.is_trying
        self.flights[asking.id] = Flight(
            asking.owner, asking.task, asking.model, asking.size, now, waiter.sent, waiter.answered, probe
        )
        self._use_own(waiter.sent + waiter.answered, limits, now)
        return Go(probe)

    def _in_flight(self) -> int:
        return len(self.flights)

    # -- what holds -----------------------------------------------------------------------------------

    def rates(self, limits: RateLimiting, now: float) -> dict[str, Rate]:
        """The limits per minute that hold: the plan's, and what the provider told."""
        made = {}
        if most := limits.requests_per_minute:
            made["requests"] = Rate(most, float(limits.burst_allowance or max(1.0, BURST * most / MINUTE)))
        if most := limits.tokens_per_minute:
            made["tokens"] = Rate(most, BURST * most / MINUTE)
        for kind, told in self.told.items():
            if now - told.at < TOLD_FOR:
                made[f"told {kind}"] = Rate(told.limit, told.limit)
        return made

    def _all_rates(self, limits: RateLimiting, now: float) -> dict[str, Rate]:
        """Those that hold, and those that may yet be told: what is used until then will count."""
        untold = {f"told {kind}": NO_RATE for kind in headers.KINDS}
        return untold | self.rates(limits, now)

    # -- being told -----------------------------------------------------------------------------------

    def hear(self, asking: str, told: Mapping[str, Any], limits: RateLimiting, now: float) -> None:
        """What an answer says of limits."""
        flight = self.flights.get(asking)
        for pool in headers.pools(told):
            known = self.told.get(pool.kind)
            if flight is None or (known and known.at > flight.begun):
                continue  # later calls have told what is newer
            self.told[pool.kind] = Told(pool.limit, flight.begun)
            rate = Rate(pool.limit, pool.limit)
            fresh = self.pools.setdefault(f"told {pool.kind}", Pool(at=now))
            fresh.rebase(pool.left, flight.begun, rate, now)
        for window in headers.windows(told):
            noted(self.windows, window, now)
        if told.get("status") in ("allowed", "allowed_warning"):
            self._takes_calls(flight)

    def end(
        self, asking: str, usage: Usage | None, failure: Failure | None, limits: RateLimiting, now: float
    ) -> None:
        """A call is over: it used *usage*, or what was reserved for it where that is not told."""
        flight = self.flights.pop(asking, None)
        if flight is None:
            return  # it was thought dead
        if usage is not None:
            self._settle(flight, usage, limits, now)
        if failure is not None:
            self._failed(flight, failure, limits, now)

    def succeeded(self, asking: str) -> None:
        """A call was answered: the account takes calls, and perhaps more at once."""
        self._takes_calls(self.flights.get(asking))

    def _settle(self, flight: Flight, usage: Usage, limits: RateLimiting, now: float) -> None:
        sent = counted(self.provider, usage)
        for name, rate in self._all_rates(limits, now).items():
            if name in self.pools:
                before = _amount(name, flight.sent, flight.answered)
                really = _amount(name, sent, usage.output_tokens)
                self.pools[name].correct(before, really, flight.begun, rate, now)
        more = sent + usage.output_tokens - flight.sent - flight.answered
        self._use_own(more, limits, now)
        if usage.tokens > 0:  # a call that was not made after all teaches nothing
            self.models.setdefault(flight.model, Estimate()).learn(flight.size, sent, usage.output_tokens)

    def _takes_calls(self, flight: Flight | None) -> None:
        self.overloads = 0
        self.outage.over()
        begun = flight.begun if flight else 0.0
        if self.closure is not None and begun >= self.closure.at:
            self.closure, self.width, self.reopened = None, 1.0, begun
        if self.width is not None and begun >= self.narrowed:
            self.width += 1.0 / self.width
            self.width = None if self.width > WIDE else self.width

    def _failed(self, flight: Flight, failure: Failure, limits: RateLimiting, now: float) -> None:
        if failure.kind == "quota":
            if failure.until is not None or self.closure is not None or flight.probe:
                self.close(failure.reason, failure.until, now)
        elif failure.kind == "transient":
            self.outage.failed(flight.task, failure.blameless, flight.begun, failure.reason, now)
            if failure.blameless and flight.begun >= self.narrowed:
                self._narrow(failure.until, limits, now)

    def close(self, reason: str, until: float | None, now: float) -> None:
        """The account takes no calls, until *until* where that is known."""
        self.closure = Closure.of(reason, until, self.closure, now)

    def _widen(self, now: float) -> None:
        """Time alone makes room, too: an agent that is one long call is answered too seldom to tell."""
        if self.width is None:
            return
        if now - max(self.narrowed, self.reopened) > NARROW_FOR:
            self.width = None
        elif self.reopened:
            self.width = max(self.width, 2.0 ** max(0.0, (now - self.reopened) / WIDENED))
            self.width = None if self.width > WIDE else self.width

    def _narrow(self, until: float | None, limits: RateLimiting, now: float) -> None:
        """Too much: half as many at once from now on, and a pause first."""
        self.overloads += 1
        self.narrowed, self.reopened = now, 0.0
        self.width = max(1.0, (self._in_flight() + 1) / 2)
        pause = min(limits.max_backoff_seconds, 0.5 * limits.backoff_multiplier ** (self.overloads - 1))
        until = now + pause if until is None else min(until, now + LONGEST_PAUSE)
        self.quiet_until = max(self.quiet_until, until)

    def _use_own(self, tokens: float, limits: RateLimiting, now: float) -> None:
        """Count *tokens* in the window that the plan sets itself."""
        if not limits.max_tokens_per_session:
            return
        length = limits.session_duration_minutes * 60
        window = self.windows.get(OWN)
        if window is None or window.is_over(now):
            window = self.windows[OWN] = Window(ends=now + length, length=length)
        window.tokens = max(0.0, window.tokens + tokens)
        window.share = window.tokens / limits.max_tokens_per_session

    def news(self) -> Iterator[tuple[str, Window]]:
        """The windows that are nearly used up and of which nobody was warned yet."""
        return ((name, window) for name, window in self.windows.items() if window.is_news())


def counted(provider: str, usage: Usage) -> float:
    """The input that counts against limits."""
    cached = 0 if provider in CACHED_IS_FREE else usage.cache_read_tokens
    return float(usage.input_tokens + usage.cache_write_tokens + cached)


def _kind(name: str) -> str:
    return name.removeprefix("told ")


def _amount(name: str, sent: float, answered: float) -> float:
    """How much a call uses of the pool *name*."""
    amounts = {"requests": 1.0, "input-tokens": sent, "output-tokens": answered}
    return amounts.get(_kind(name), sent + answered)
