"""Who may begin while a provider takes no calls, or is tried."""

from __future__ import annotations

from dataclasses import dataclass

from aca.limits.account import Keeper
from aca.limits.book import Asking, Failure, Go
from aca.limits.gate import Gate
from aca.limits.shared import Private
from aca.plans.plan import Plan
from aca.plans.settings import Defaults, RateLimiting
from aca.plans.task import Task

ZERO = 1_800_000_000.0


@dataclass
class Clock:
    """It goes when it is told to."""

    now: float = ZERO

    def __call__(self) -> float:
        return self.now


def keeper(provider: str, clock: Clock) -> Keeper:
    return Keeper(provider, provider, RateLimiting(), Private(), clock, alive=lambda _: True)


def test_after_a_closing_a_task_tries_whatever_else_runs() -> None:
    """Calls from before do not count, only one that tries does."""
    clock = Clock()
    claude = keeper("claude-cli", clock)
    plan = Plan(defaults=Defaults(provider="claude-cli"), tasks=(Task(id="a", title="A"),))
    gate = Gate(plan, {"claude-cli": claude}, clock=clock)
    with claude.change() as book:
        book.ask(Asking("long", "here", "long", "", 10, None), claude.limits, clock.now, claude.alive)
    claude.close("the window is closed", ZERO + 20)
    assert gate.hold(plan.tasks[0]) == ZERO + 20
    clock.now += 21
    assert gate.hold(plan.tasks[0]) is None
    with claude.change() as book:
        trying = Asking("try", "here", "a", "", 10, None)
        assert book.ask(trying, claude.limits, clock.now, claude.alive) == Go(probe=True)
    assert gate.hold(plan.tasks[0]) == clock.now + 1
    with claude.change() as book:
        book.succeeded("try")
    assert gate.hold(plan.tasks[0]) is None


def test_a_run_ends_for_closings_and_long_outages_only() -> None:
    """Each with the time of the next try, also where nobody knows when it is over."""
    clock, ends = Clock(), []
    rates = RateLimiting(on_quota="exit")
    plan = Plan(rate_limiting=rates, defaults=Defaults(provider="openai"), tasks=(Task(id="a", title="A"),))
    openai = keeper("openai", clock)
    gate = Gate(plan, {"openai": openai}, exits=lambda *told: ends.append(told), clock=clock)
    pauses = []
    while not ends:
        with openai.change() as book:
            book.ask(Asking("x", "here", "a", "", 10, None), openai.limits, clock.now, openai.alive)
            book.end("x", None, Failure("transient", None, True, "HTTP 529"), openai.limits, clock.now)
        if again := gate.hold(plan.tasks[0]):
            shut = openai.shut()
            assert shut is not None
            pauses.append(shut.again - clock.now)
            assert again <= shut.again
            clock.now = shut.again
        clock.now += 61
    assert pauses == [15, 30, 60, 120, 240, 480, 960]
    openai.close("the window is closed", None)
    gate.hold(plan.tasks[0])
    assert ends[0] == ("openai does not answer: HTTP 529", clock.now - 61)
    assert ends[1] == ("the window is closed", clock.now + 120)
