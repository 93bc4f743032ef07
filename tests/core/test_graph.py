"""Cycles, levels, the critical path; and that counters agree with the definition of ready."""

from __future__ import annotations

import itertools
import time

from hypothesis import given

from aca.core import graph
from aca.plans.plan import Plan
from tests.core.stories import plans, task


def names(plan: Plan) -> list[str]:
    return [fault.message for fault in graph.cycle_faults(plan)]


def test_a_cycle_is_shown_as_a_path() -> None:
    """The message walks round once."""
    plan = Plan(tasks=(task("a", dependencies=("c",)), task("b", dependencies=("a",)),
                       task("c", dependencies=("b",)), task("free")))  # fmt: skip
    (message,) = names(plan)
    walk = message.partition(": ")[2].split(" -> ")
    assert walk[0] == walk[-1]
    assert sorted(walk[:-1]) == ["a", "b", "c"]
    needs = {one.id: one.dependencies for one in plan.tasks}
    assert all(later in needs[earlier] for earlier, later in itertools.pairwise(walk))


def test_each_knot_is_named_once() -> None:
    """Two separate cycles are two problems, found in one go."""
    plan = Plan(tasks=(task("a", dependencies=("b",)), task("b", dependencies=("a",)),
                       task("c", dependencies=("c",))))  # fmt: skip
    assert len(names(plan)) == 2


def test_a_child_cannot_need_its_own_group() -> None:
    """The group is done only after its children."""
    plan = Plan(tasks=(task("group"), task("child", parent_id="group", dependencies=("group",))))
    assert len(names(plan)) == 1


def test_a_group_cannot_need_its_own_child() -> None:
    """The children start only after what the group needs."""
    plan = Plan(tasks=(task("group", dependencies=("child",)), task("child", parent_id="group")))
    assert len(names(plan)) == 1


def test_parents_in_a_circle_are_a_cycle() -> None:
    """Also where no dependency is involved."""
    assert len(names(Plan(tasks=(task("a", parent_id="b"), task("b", parent_id="a"))))) == 1


@given(plans())
def test_plans_without_cycles_have_no_cycle_faults(plan: Plan) -> None:
    """Whatever groups and dependencies are drawn."""
    assert names(plan) == []


def test_long_chains_and_rings_are_checked_quickly() -> None:
    """Both cost linear time: the naive search for a cycle takes minutes here."""
    count = 4000
    chain = tuple(task(f"t{n}", dependencies=(f"t{n + 1}",) if n + 1 < count else ()) for n in range(count))
    ring = (*chain[:-1], task(f"t{count - 1}", dependencies=("t0",)))
    began = time.monotonic()
    assert names(Plan(tasks=chain)) == []
    assert len(names(Plan(tasks=ring))) == 1
    assert time.monotonic() - began < 20


def test_levels_are_the_earliest_steps() -> None:
    """A group takes no step of its own; what needs it comes after its children."""
    group = task("g", dependencies=("a",))
    parts = task("x", parent_id="g"), task("y", parent_id="g", dependencies=("x",))
    plan = Plan(tasks=(task("a"), group, *parts, task("z", dependencies=("g",))))
    assert graph.levels(plan) == [["a"], ["x"], ["y"], ["z"]]


def test_the_critical_path_weighs_complexity() -> None:
    """One hard task outweighs three easy ones in a row."""
    easy = [task("e1", estimated_complexity=1)]
    easy += [task(f"e{n}", dependencies=(f"e{n - 1}",), estimated_complexity=1) for n in (2, 3)]
    hard = task("hard", estimated_complexity=9)
    last = task("last", dependencies=("e3", "hard"), estimated_complexity=1)
    assert graph.critical_path(Plan(tasks=(*easy, hard, last))) == ["hard", "last"]
