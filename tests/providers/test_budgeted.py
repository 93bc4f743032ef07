"""Reserve, then commit: whatever is called side by side, no cap is passed and nobody waits for ever."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aca.core import events as ev
from aca.core.state import SessionState
from aca.plans.plan import Plan
from aca.plans.settings import Limits, Price
from aca.providers.account import SpentError, Unlimited
from aca.providers.budgeted import Budgeted, Purse
from aca.providers.prices import Tariff
from tests.core.stories import task

GIVEN = 7 / 2
"""Bytes of a token, as the account takes it to be before it has seen one."""


@dataclass
class Attempt:
    """What one attempt does: calls of so many bytes, of which each uses a part of what it may."""

    sizes: list[int]
    longest: int | None
    greed: float
    fate: str


attempts = st.builds(
    Attempt,
    sizes=st.lists(st.integers(0, 20_000), min_size=1, max_size=6).map(sorted),
    longest=st.none() | st.integers(1, 4000),
    greed=st.floats(0, 1),
    fate=st.sampled_from(["told", "told", "silent", "failed"]),
)
prices = st.none() | st.builds(
    Price,
    input=st.floats(0, 50),
    output=st.floats(0, 200),
    cache_read=st.none() | st.floats(0, 5),
    cache_write=st.none() | st.floats(0, 80),
)


@dataclass
class Session:
    """Attempts that share one budget, without files and without a model."""

    plan: Plan
    price: Price | None
    most_open: int = 0
    refused: int = 0
    state: SessionState = field(init=False)

    def __post_init__(self) -> None:
        self.state = SessionState(self.plan)
        self._numbers = itertools.count(1)

    def tell(self, event: ev.Event) -> None:
        self.state.apply(event)
        self.most_open = max(self.most_open, len(self.state.calls))

    async def attempt(self, purse: Purse, name: str, does: Attempt) -> None:
        self.tell(ev.TaskStarted(task=name, attempt=1))
        tariff = Tariff("elsewhere", "special", self.price)
        account = Budgeted(purse, self.state.tasks[name], 1, tariff, Unlimited(), self.tell, asks=True)
        try:
            for size in does.sizes:
                await self.call(account, does, size)
        except SpentError:
            self.refused += 1
        self.tell(ev.TaskCompleted(task=name, attempt=1, usage=account.used))

    async def call(self, account: Budgeted, does: Attempt, size: int) -> None:
        async with account.call(size, does.longest) as call:
            assert call.longest is None or does.longest is None or call.longest <= does.longest
            await asyncio.sleep(0)
            made = int(does.greed * (call.longest or 1000))
            if does.fate == "told":
                call.used(ev.Usage(input_tokens=int(size / GIVEN), output_tokens=made))
            elif does.fate == "failed":
                call.failed("transient")

    def run(self, attempts: list[Attempt]) -> None:
        async def all_of_them() -> None:
            purse = Purse(self.state, at_once=len(attempts))
            work = (self.attempt(purse, f"t{number}", does) for number, does in enumerate(attempts))
            async with asyncio.timeout(10):
                await asyncio.gather(*work)

        asyncio.run(all_of_them())


def session(limits: Limits, price: Price | None, count: int, **more: Any) -> Session:
    tasks = tuple(task(f"t{number}", **more) for number in range(count))
    return Session(Plan(tasks=tasks, limits=limits), price)


@settings(deadline=None)
@given(
    attempts=st.lists(attempts, min_size=1, max_size=6),
    price=prices,
    cost=st.none() | st.floats(0.001, 2),
    tokens=st.none() | st.integers(1, 40_000),
)
def test_no_cap_is_passed_and_everybody_comes_to_an_end(
    attempts: list[Attempt], price: Price | None, cost: float | None, tokens: int | None
) -> None:
    """Calls that tell, calls that are cut off, calls that fail; known prices and unknown ones."""
    one = session(Limits(max_cost_usd=cost, max_tokens=tokens), price, len(attempts))
    one.run(attempts)
    spent = one.state.spent
    assert spent.cost_usd <= (cost or float("inf")) + 1e-6
    assert spent.tokens <= (tokens or float("inf"))
    assert not one.state.calls
    if cost is None and tokens is None:
        assert one.refused == 0


@settings(deadline=None)
@given(attempts=st.lists(attempts, min_size=2, max_size=4), tokens=st.integers(1, 20_000))
def test_what_each_task_has_used_is_the_whole(attempts: list[Attempt], tokens: int) -> None:
    """The sums by task and by role are those of the session, and the endings count nothing twice."""
    one = session(Limits(max_tokens=tokens), None, len(attempts), role="all")
    one.run(attempts)
    state = one.state
    assert sum(spent.tokens for spent in state.spent_on.values()) == state.spent.tokens
    assert state.spent_as["all"] == state.spent
    assert sum(now.usage.tokens for now in state.states.values() if now.usage) == state.spent.tokens


def test_a_call_waits_for_room_that_another_one_may_leave() -> None:
    """Two that do not fit side by side: one after the other both are made."""
    does = Attempt([350], 1000, 0.1, "told")
    one = session(Limits(max_tokens=1300), None, 2)
    one.run([does, does])
    assert (one.most_open, one.refused) == (1, 0)
    assert one.state.spent.tokens == 400


def test_the_session_s_refusal_is_the_last_word() -> None:
    """Who asks for less afterwards is refused too: what runs may end, and nothing else begins."""
    one = session(Limits(max_tokens=2000), None, 2)
    greedy, modest = Attempt([35_000], 500, 1, "told"), Attempt([35], 100, 1, "told")
    one.run([greedy, modest])
    assert (one.refused, one.state.spent.tokens) == (2, 0)
