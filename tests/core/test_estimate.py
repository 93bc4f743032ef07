"""Estimates: sums that stay between their parts, and history before assumptions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aca.core.estimate import ASSUMED, FEWEST, Sample, Spread, above, estimate, kind_of, together, work_of
from aca.plans.plan import Plan
from aca.plans.settings import Defaults, Limits
from aca.plans.task import Task
from tests.core.stories import plans, task

amounts = st.floats(0.1, 1e6)
spreads = st.builds(lambda low, more: Spread(low, low + more), amounts, amounts)


@given(spreads)
def test_one_amount_is_its_own_sum(spread: Spread) -> None:
    """Nothing is lost on the way through means and variances."""
    assert together([spread]).p50 == pytest.approx(spread.p50)
    assert together([spread]).p90 == pytest.approx(spread.p90)


@given(st.lists(spreads, min_size=2, max_size=20))
def test_a_sum_lies_between_the_sums_of_its_parts(parts: list[Spread]) -> None:
    """That everything takes its longest at once is rarer than one in ten."""
    total = together(parts)
    low, high = sum(part.p50 for part in parts), sum(part.p90 for part in parts)
    assert low <= total.p50 <= total.p90 <= high * (1 + 1e-9)


@given(plans())
def test_only_open_work_is_estimated(plan: Plan) -> None:
    """Groups, approvals and what is done take nothing."""
    found = estimate(plan, [])
    groups = {one.parent_id for one in plan.tasks}
    open_work = {
        one.id
        for one in plan.tasks
        if one.id not in groups and one.status == "pending" and one.kind != "approval"
    }
    assert found.tasks.keys() == open_work
    assert found.assumed == len(open_work)


@given(plans())
def test_more_at_once_never_takes_longer(plan: Plan) -> None:
    """And never less than the longest chain."""
    one, many = (
        plan.model_copy(update={"execution_mode": "parallel", "max_concurrent_tasks": n}) for n in (1, 8)
    )
    assert estimate(plan=many, samples=[]).seconds.p50 <= estimate(one, []).seconds.p50 + 1e-6


def plan_of(*tasks: Task) -> Plan:
    return Plan(defaults=Defaults(provider="claude-cli"), tasks=tasks)


def finished(
    plan: Plan, one: Task, seconds: float, tokens: int | None = 100, cost: float | None = 0.5
) -> Sample:
    return Sample(
        work_of(plan, one), kind_of(plan, one), one.estimated_complexity or 3, seconds, tokens, cost
    )


def test_the_closest_likeness_counts() -> None:
    """The same task, else one of the same provider and complexity, else of the same provider."""
    same, alike, other = task("same"), task("alike"), task("other", estimated_complexity=9)
    plan = plan_of(same, alike, other)
    samples = [finished(plan, same, 10) for _ in range(FEWEST)]
    samples += [finished(plan, task("more"), 20) for _ in range(10 * FEWEST)]
    found = estimate(plan, samples).tasks
    assert [found[name].seconds.p50 for name in ("same", "alike", "other")] == [10, 20, 20]
    assert found["same"].samples == FEWEST


def test_too_few_are_no_history() -> None:
    """Then it is assumed, by complexity."""
    one = task("one", estimated_complexity=2)
    plan = plan_of(one)
    guess = estimate(plan, [finished(plan, one, 1)] * (FEWEST - 1)).tasks["one"]
    assert guess.samples == 0
    assert guess.seconds == ASSUMED["agent"].seconds.times(2)
    assert guess.cost_usd is None


def test_what_is_unknown_stays_unknown() -> None:
    """One task without a known cost makes the cost of its likes unknown, and is counted."""
    one = task("one")
    plan = plan_of(one)
    found = estimate(plan, [finished(plan, one, 1, 10, cost) for cost in (None, 1.0, 1.0)])
    assert (found.unknown_costs, found.unknown_tokens) == (1, 0)
    assert found.tokens.p50 == pytest.approx(10)


def test_limits_that_may_be_passed_are_named() -> None:
    """Those that are far away are not."""
    plan = plan_of(task("one"))
    found = estimate(plan, [finished(plan, plan.tasks[0], 60)] * FEWEST)
    limits = Limits(max_duration=59.0, max_tokens=10**6, max_cost_usd=0.4)
    assert [name for name, _, _ in above(found, limits)] == ["max_cost_usd", "max_duration"]
