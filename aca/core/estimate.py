"""What a plan may take, use and change: from what was done here before, else from assumptions.

P50 is what is passed half of the time, P90 once in ten. What nobody knows stays None: no price is assumed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cache
from statistics import quantiles

import msgspec

from aca.core import graph, schedule
from aca.plans.plan import REPLAY, Plan, profile
from aca.plans.settings import Limits
from aca.plans.task import Task
from aca.plans.touches import learn
from aca.plans.values import command_text

FEWEST = 3
"""So many finished tasks of a kind it takes to go by them."""
_Z90 = 1.2815515594
"""How many standard deviations the 90th percentile of a normal distribution lies above its mean."""


class Spread(msgspec.Struct, frozen=True):
    """Two percentiles of an amount."""

    p50: float = 0.0
    p90: float = 0.0

    def times(self, factor: float) -> Spread:
        return Spread(self.p50 * factor, self.p90 * factor)


class Assumption(msgspec.Struct, frozen=True):
    """What is assumed of a task where nothing is known; ``per_point`` of its complexity."""

    seconds: Spread
    tokens: Spread = Spread()
    per_point: bool = False


ASSUMED: dict[str, Assumption] = {
    "agent": Assumption(Spread(60, 240), Spread(20_000, 80_000), per_point=True),
    REPLAY: Assumption(Spread(1, 10)),
    "command": Assumption(Spread(10, 60)),
}
"""No measurements: orders of magnitude, until something has been finished here. Approvals are no work."""


class Sample(msgspec.Struct, frozen=True):
    """What one finished task took. Tokens and cost (USD) are None where the provider did not tell."""

    work: str
    kind: str
    complexity: int
    seconds: float
    tokens: int | None
    cost_usd: float | None
    files: tuple[str, ...] = ()
    """What it changed, by paths from the workspace."""


class Guess(msgspec.Struct, frozen=True):
    """What one task may take. ``samples`` is how many finished ones it is from; 0: it is assumed."""

    seconds: Spread
    tokens: Spread | None
    cost_usd: Spread | None
    samples: int = 0
    touches: tuple[str, ...] = ()
    """Patterns for what the same work has changed last, besides what the task says it touches."""


class Estimate(msgspec.Struct, frozen=True):
    """What the open tasks of a plan may take: each of them, and together."""

    tasks: dict[str, Guess]
    seconds: Spread
    tokens: Spread
    cost_usd: Spread
    unknown_tokens: int
    """Tasks that are not in ``tokens``, because nobody knows."""
    unknown_costs: int

    @property
    def assumed(self) -> int:
        """How many tasks are not from history."""
        return sum(guess.samples == 0 for guess in self.tasks.values())


def kind_of(plan: Plan, task: Task) -> str:
    """Whose work it is: a provider's name for an agent task, else the task's kind."""
    return (profile(plan, task).provider or "") if task.kind == "agent" else task.kind


def row_of(plan: Plan, task: Task) -> str:
    """The row of ``ASSUMED`` that is for *task*."""
    return REPLAY if kind_of(plan, task) == REPLAY else task.kind


def work_of(plan: Plan, task: Task) -> str:
    """What tells a piece of work from another: the same command, or the same words to the same agent."""
    text = command_text(task.command) if task.command is not None else f"{task.title}\n{task.description}"
    return f"{kind_of(plan, task)}\n{text}"


def estimate(plan: Plan, samples: Iterable[Sample]) -> Estimate:
    """What the open tasks of *plan* may take, going by *samples*, newest first, where enough are alike.

    All together is at least the longest chain of tasks, and all their work shared out to those that work
    at once; that one task takes longer is taken to say nothing about another.
    """
    known = _Known(samples)
    leaves = (task for task in graph.open_leaves(plan) if task.kind != "approval")
    guesses = {task.id: known.guess(plan, task) for task in leaves}
    tokens = [guess.tokens for guess in guesses.values() if guess.tokens is not None]
    costs = [guess.cost_usd for guess in guesses.values() if guess.cost_usd is not None]
    return Estimate(
        tasks=guesses,
        seconds=_duration(plan, {name: guess.seconds for name, guess in guesses.items()}),
        tokens=together(tokens),
        cost_usd=together(costs),
        unknown_tokens=len(guesses) - len(tokens),
        unknown_costs=len(guesses) - len(costs),
    )


def touched(plan: Plan, samples: Iterable[Sample]) -> dict[str, tuple[str, ...]]:
    """Task id -> patterns for what the same work has changed last, besides what the task says it touches."""
    known = _Known(samples)
    return {task.id: found for task in graph.open_leaves(plan) if (found := known.touched(plan, task))}


class _Known:
    """Samples by what they are alike in, the closest likeness first."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._alike: dict[tuple[object, ...], list[Sample]] = {}
        for one in samples:
            for key in ((one.work,), (one.kind, one.complexity), (one.kind, None)):
                self._alike.setdefault(key, []).append(one)

    def guess(self, plan: Plan, task: Task) -> Guess:
        amounts, files = self._amounts(plan, task), self.touched(plan, task)
        return msgspec.structs.replace(amounts, touches=files) if files else amounts

    def touched(self, plan: Plan, task: Task) -> tuple[str, ...]:
        """Patterns for what the same work changed when it was done last and changed anything."""
        alike = self._alike.get((work_of(plan, task),), ()) if self._alike else ()
        return learn(plan, task, next((one.files for one in alike if one.files), ()))

    def _amounts(self, plan: Plan, task: Task) -> Guess:
        kind, complexity = kind_of(plan, task), schedule.weight(task)
        for key in ((work_of(plan, task),), (kind, complexity), (kind, None)) if self._alike else ():
            if len(found := self._alike.get(key, [])) >= FEWEST:
                return _from(found)
        return _assumed(ASSUMED[row_of(plan, task)], complexity)


def _from(samples: list[Sample]) -> Guess:
    tokens = [one.tokens for one in samples if one.tokens is not None]
    costs = [one.cost_usd for one in samples if one.cost_usd is not None]
    return Guess(
        seconds=_spread([one.seconds for one in samples]),
        tokens=_spread(tokens) if len(tokens) == len(samples) else None,
        cost_usd=_spread(costs) if len(costs) == len(samples) else None,
        samples=len(samples),
    )


@cache
def _assumed(assumption: Assumption, complexity: int) -> Guess:
    factor = complexity if assumption.per_point else 1
    costs_nothing = assumption.tokens == Spread()
    return Guess(
        seconds=assumption.seconds.times(factor),
        tokens=assumption.tokens.times(factor),
        cost_usd=Spread() if costs_nothing else None,
    )


def _spread(values: list[float] | list[int]) -> Spread:
    tenths = quantiles(values, n=10, method="inclusive")
    return Spread(tenths[4], tenths[8])


def _duration(plan: Plan, seconds: Mapping[str, Spread]) -> Spread:
    everything = together(seconds.values())
    if plan.execution_mode == "sequential" or not seconds:
        return everything
    path = graph.critical_path(plan, {name: spread.p50 for name, spread in seconds.items()})
    chain = together(seconds[name] for name in path)
    shared = everything.times(1 / plan.max_concurrent_tasks)
    return Spread(max(chain.p50, shared.p50), max(chain.p90, shared.p90))


def together(spreads: Iterable[Spread]) -> Spread:
    """The sum of amounts that are independent of each other and log-normal, as durations of work are.

    Means and variances add up; the sum is read as log-normal again (Fenton and Wilkinson). For amounts that
    are very unlike that strays, so it is held between the sums of the percentiles.
    """
    counted = [spread for spread in spreads if spread.p50 > 0]
    if not counted:
        return Spread()
    moments = [_moments(spread) for spread in counted]
    mean, variance = sum(one for one, _ in moments), sum(one for _, one in moments)
    squared = math.log1p(variance / mean**2)
    middle = mean * math.exp(-squared / 2)
    low, high = sum(spread.p50 for spread in counted), sum(spread.p90 for spread in counted)
    p90 = max(low, min(high, middle * math.exp(_Z90 * math.sqrt(squared))))
    return Spread(min(max(low, middle), p90), p90)


def _moments(spread: Spread) -> tuple[float, float]:
    """Mean and variance of the log-normal amount with these percentiles."""
    squared = (math.log(max(spread.p90, spread.p50) / spread.p50) / _Z90) ** 2
    mean = spread.p50 * math.exp(squared / 2)
    return mean, math.expm1(squared) * mean**2


def above(found: Estimate, limits: Limits) -> list[tuple[str, Spread, float]]:
    """(limit, estimate, cap) of each limit that is passed at least once in ten."""
    caps = {
        "max_cost_usd": (found.cost_usd, limits.max_cost_usd),
        "max_tokens": (found.tokens, limits.max_tokens),
        "max_duration": (found.seconds, limits.max_duration),
    }
    return [
        (name, spread, cap) for name, (spread, cap) in caps.items() if cap is not None and spread.p90 > cap
    ]
