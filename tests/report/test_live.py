"""The live tree, drawn to text instead of a terminal."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from aca.core import events as ev
from aca.core.state import SessionState
from aca.plans.plan import Plan
from aca.plans.task import Task
from aca.providers.base import Changed, Said, Step, Used
from aca.report.live import LiveTree


class Watched:
    """A live tree and the state it shows, told the same events."""

    def __init__(self, *tasks: Task, height: int = 20) -> None:
        self.state = SessionState(Plan(name="Plan", tasks=tasks))
        self.console = Console(
            file=io.StringIO(), width=100, height=height, force_terminal=True, color_system=None
        )
        self.tree = LiveTree(self.console, self.state, clock=lambda: 100.0)

    def happened(self, *events: ev.Event) -> None:
        for event in events:
            self.state.apply(event)
            self.tree.event(event, self.state)

    def drawn(self) -> list[str]:
        """The lines on the screen."""
        return str(self.tree.draw()).splitlines()


def task(name: str, parent: str | None = None) -> Task:
    return Task(id=name, title=name, parent_id=parent)


def test_a_small_plan_is_shown_whole_with_roll_up() -> None:
    """Groups count their children, a split adds rows where they belong."""
    seen = Watched(task("group"), task("one", "group"), task("two", "group"))
    seen.happened(ev.TaskStarted(task="one", attempt=1), ev.TaskCompleted(task="one", attempt=1))
    assert seen.drawn() == ["Plan  1/2 done  0.0s", "  · group  1/2", "    ✔ one", "    · two"]
    seen.happened(
        ev.TaskStarted(task="two", attempt=1),
        ev.TaskSplit(task="two", attempt=1, tasks=({"id": "half", "title": "half", "parent_id": "two"},)),
    )
    assert seen.drawn()[2:] == ["    ✔ one", "    · two  0/1", "      · half"]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (Said("First.\nLast line.\n\n"), "Last line."),
        (Used("Edit", "app/x.py"), "Using Edit app/x.py"),
        (Used("run", "false", "exit code 1"), "Using run false: exit code 1"),
        (Changed(ev.FileChange("x.py", "created")), "created x.py"),
        (Said("   \n"), "-"),
    ],
)
def test_the_latest_step_is_shown(step: Step, told: str) -> None:
    """On one line, beside the time the task has taken; silence changes nothing."""
    seen = Watched(task("one"))
    seen.happened(ev.TaskStarted(task="one", attempt=1))
    seen.tree.step("one", Said("-"))
    seen.tree.step("one", step)
    assert seen.drawn()[1] == f"  ▶ one  0.0s  {told}"


def test_ten_thousand_tasks_cost_no_more_than_a_screen() -> None:
    """Neither an event nor a drawing looks at all of them."""
    seen = Watched(task("group"), *(task(f"t{n}", "group") for n in range(10_000)), height=12)
    began = time.monotonic()
    for number in range(5_000):
        seen.happened(ev.TaskStarted(task=f"t{number}", attempt=1))
        seen.happened(ev.TaskCompleted(task=f"t{number}", attempt=1))
    for _ in range(100):
        assert len(seen.drawn()) <= 11
    assert time.monotonic() - began < 5
    assert seen.drawn()[-1] == "    ✔ t4999"


def test_what_is_noticed_stays_above_the_tree() -> None:
    """Remarks are printed, not drawn over."""
    seen = Watched(task("one"))
    with seen.tree:
        seen.tree.notice("Ctrl-C: interrupting [what] runs")
    file = seen.console.file
    assert isinstance(file, io.StringIO)
    assert "Ctrl-C: interrupting [what] runs" in file.getvalue()
