"""Who may begin while a provider takes no calls, or is tried."""

from __future__ import annotations

from dataclasses import dataclass

from aca.limits.account import Keeper
from aca.limits.book import Asking, Go
from aca.limits.gate import Gate
from aca.limits.shared import Private
from aca.plan import Defaults, Plan, RateLimiting, Task

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
