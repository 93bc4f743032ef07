"""So much per minute: who may go now, and how long the others wait. Plain arithmetic on times in seconds.

Two things hold at once. In every minute no more than the limit is used (what was used is remembered for
that long). And within the minute it is paced: beyond a burst, use makes a debt that is paid off at the speed
of the limit, and who wants more waits for that.
"""

from __future__ import annotations

from bisect import bisect_right

import msgspec

MINUTE = 60.0
SLACK = 0.008
"""Our minute is longer by this: what leaves us evenly need not arrive so."""
PROMPT = 2.0
"""Seconds; of later answers nobody knows how much of the time was the model's."""
SLOTS = 240
"""What is used within one of them is remembered as used at its end."""


class Rate(msgspec.Struct, frozen=True):
    """So much per minute, and as much as ``burst`` of it at once."""

    per_minute: float
    burst: float

    @property
    def per_second(self) -> float:
        return self.per_minute / MINUTE


class Pool(msgspec.Struct):
    """What was used of one rate in the last minute, and the debt that is left to be paid off."""

    debt: float = 0.0
    at: float = 0.0
    """As of when."""
    spent: list[tuple[float, float]] = []
    """(time of the latest use in it, amount) for each slot, oldest first."""

    def wait(self, amount: float, rate: Rate, now: float) -> float:
        """Seconds until *amount* may be used, if nobody else uses anything."""
        self._pass(rate, now)
        pace = self.debt - max(0.0, rate.burst - amount)
        return max(0.0, pace / rate.per_second, self._until_free(amount, rate, now))

    def use(self, amount: float, rate: Rate, now: float) -> None:
        """Use *amount*, which was waited for."""
        self._pass(rate, now)
        self.debt += amount
        self._remember(amount, now)

    def correct(self, reserved: float, really: float, used_at: float, rate: Rate, now: float) -> None:
        """What was reserved at *used_at* has turned out to be another amount.

        What was reserved too much longer ago than is remembered has been paid off, and is nobody's any more.
        A call that was answered soon counts as used now: it may have left, and arrived, a good while after
        it was let go, when this process or the machine had much else to do.
        """
        self._pass(rate, now)
        if really < reserved and used_at <= now - _REMEMBERED:
            return
        self.debt = max(0.0, self.debt + really - reserved)
        if now - used_at <= PROMPT:
            self._forget(reserved, used_at)
            self._remember(really, now)
        elif really > reserved:
            self._remember(really - reserved, now)
        else:
            self._forget(reserved - really, used_at)

    def rebase(self, left: float, told_at: float, rate: Rate, now: float) -> None:
        """The provider told that *left* could be used at *told_at*; what was used since is known here."""
        since = sum(amount for at, amount in self.spent if at > told_at)
        refilled = min(rate.burst, left + rate.per_second * max(0.0, now - told_at))
        self.at, self.debt = now, max(0.0, rate.burst - refilled + since)

    def used(self, now: float) -> float:
        """How much was used in the last minute."""
        return sum(amount for at, amount in self.spent if at > now - MINUTE)

    def _pass(self, rate: Rate, now: float) -> None:
        """Let time go by. A clock that was set back stands still."""
        if now > self.at:
            self.debt = max(0.0, self.debt - (now - self.at) * rate.per_second)
        self.at = max(self.at, now) if self.at < now + MINUTE else now
        forgotten = bisect_right(self.spent, now - _REMEMBERED, key=_time)
        del self.spent[:forgotten]
        if self.spent and self.spent[-1][0] > now:  # written down before the clock was set back
            self.spent = [(min(at, now), amount) for at, amount in self.spent]

    def _until_free(self, amount: float, rate: Rate, now: float) -> float:
        """Seconds until enough of the last minute has passed. More than a minute's worth needs it all."""
        over = sum(one for _, one in self.spent) + min(amount, rate.per_minute) - rate.per_minute
        if over <= _NOTHING:
            return 0.0
        for at, one in self.spent:
            over -= one
            if over <= _NOTHING:
                return max(0.0, at + _REMEMBERED - now)
        return 0.0

    def _remember(self, amount: float, now: float) -> None:
        if self.spent and now - self.spent[-1][0] < MINUTE / SLOTS and _slot(now) == _slot(self.spent[-1][0]):
            amount += self.spent.pop()[1]
        self.spent.append((now, amount))

    def _forget(self, amount: float, used_at: float) -> None:
        for place, (at, one) in enumerate(self.spent):
            if _slot(at) == _slot(used_at):
                self.spent[place] = (at, max(0.0, one - amount))
                return


_REMEMBERED = MINUTE * (1 + SLACK)
_NOTHING = 1e-6
"""Sums of fractions are not exact."""


def _time(use: tuple[float, float]) -> float:
    return use[0]


def _slot(at: float) -> int:
    return int(at * SLOTS / MINUTE)
