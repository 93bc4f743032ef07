"""Plans and states as trees, small and large."""

from __future__ import annotations

import time

from aca.core import events as ev
from aca.core.state import SessionState
from aca.plans.plan import Plan
from aca.plans.task import Task
from aca.report import rehearsal, tree, words


def command(name: str, **more: object) -> Task:
    return Task.model_validate({"id": name, "title": name, "kind": "command", "command": "true", **more})


def test_the_rehearsal_is_the_order_of_the_run() -> None:
    """Priority, dependencies, groups and approvals decide as they do when it is real."""
    plan = Plan(
        tasks=(
            command("last", priority=1),
            command("needs-group", dependencies=["group"]),
            Task(id="group", title="group"),
            command("child", parent_id="group"),
            Task(id="asked", title="asked", kind="approval", dependencies=("child",)),
            command("first", priority=9),
            command("done", status="completed"),
            command("left-out", status="skipped"),
            command("needs-left-out", dependencies=["left-out"]),
        )
    )
    expected = ["first", "child", "asked", "needs-group", "needs-left-out", "last"]
    assert rehearsal.order(plan) == expected


def test_an_intelligent_rehearsal_prefers_the_longest_chain() -> None:
    """The critical path goes first, not the file's order."""
    plan = Plan(
        execution_mode="intelligent",
        max_concurrent_tasks=2,
        tasks=(command("short"), command("long"), command("after", dependencies=["long"])),
    )
    assert rehearsal.order(plan)[0] == "long"


def test_deep_groups_are_walked_without_recursion() -> None:
    """A hundred thousand levels would be silly; a thousand must not crash."""
    tasks = [Task(id=f"g{n}", title=f"g{n}", parent_id=f"g{n - 1}" if n else None) for n in range(2000)]
    walked = list(tree.walk(SessionState(Plan(tasks=tuple(tasks)))))
    assert walked[-1] == ("g1999", 1999)


def test_of_a_large_plan_what_matters_is_shown() -> None:
    """The failed one among ten thousand, with the group it is in."""
    tasks = [Task(id="group", title="group"), *(command(f"t{n}", parent_id="group") for n in range(10_000))]
    state = SessionState(Plan(tasks=tuple(tasks)))
    state.apply(ev.TaskFailed(seq=1, task="t9000", attempt=1, reason="it broke"))
    lines = tree.progress(state, words.PLAIN)
    assert "    ! t9000  it broke" in lines
    assert "  . group  0/10000" in lines
    assert lines[-1] == "  ... and 9,940 more tasks (--all shows them)"


def test_an_outline_of_ten_thousand_tasks_is_quick() -> None:
    """Chains and fans alike."""
    tasks = [command(f"t{n}", dependencies=[f"t{n - 1}"] if n % 100 else []) for n in range(10_000)]
    began = time.monotonic()
    lines = tree.outline(Plan(tasks=tuple(tasks)), words.PLAIN)
    assert time.monotonic() - began < 10
    assert lines[-2].startswith("100 levels, at most 100 tasks side by side")
