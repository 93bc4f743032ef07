"""The clock is set while aca runs, or between two runs: nobody waits for longer than was said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.project import Project, Running

DAY = 86400
TASKS = """\
1. One {#one run="test -e go || { touch tried; exit 1; }" retries=9 retry_delay=600ms}
2. Two {#two run="true"}
"""
CLOCK = """\
import time
from pathlib import Path

def now(right=time.time, offset=Path(__file__).with_name("offset")):
    return right() + float(offset.read_text())

time.time = now
"""


class Clock:
    """The clock of the machine as the aca of a project sees it, in every process."""

    def __init__(self, project: Project) -> None:
        self._folder = project.home / "clock"
        self._folder.mkdir()
        (self._folder / "sitecustomize.py").write_text(CLOCK)
        self.env = {"PYTHONPATH": f"{self._folder}{os.pathsep}{project.env()['PYTHONPATH']}"}
        self.set(0)

    def set(self, offset: float) -> None:
        aside: Path = self._folder / "aside"
        aside.write_text(str(offset))
        aside.replace(self._folder / "offset")


def waiting(project: Project, clock: Clock, *args: str) -> Running:
    """An aca in which a task waits for its next attempt."""
    running = project.start(*args, env=clock.env)
    running.until(lambda: "next one in" in running.stderr)
    (project.root / "go").touch()
    return running


@pytest.mark.parametrize("offset", [-DAY, DAY])
def test_a_clock_that_is_set_while_a_task_waits(project: Project, offset: float) -> None:
    """Back or forward by a day: the next attempt comes when it was to come."""
    clock = Clock(project)
    project.write({"tasks.md": TASKS})
    running = waiting(project, clock, "run", "tasks.md")
    clock.set(offset)
    running.finish(expect=0, seconds=30)
    assert "[2/2] two: completed" in running.stderr
    assert leap(project) == pytest.approx(offset, abs=DAY / 2)


def test_a_clock_that_is_set_back_between_two_runs(project: Project) -> None:
    """What was to be waited for is at most waited for once more; times of day stay what they were."""
    clock = Clock(project)
    clock.set(DAY)
    project.write({"tasks.md": TASKS})
    waiting(project, clock, "run", "tasks.md").kill()
    clock.set(0)
    project.run("status", env=clock.env)
    project.run("resume", env=clock.env)
    assert leap(project) == pytest.approx(-DAY, abs=DAY / 2)


def leap(project: Project) -> float:
    """Seconds from the first event to the last, as the journal has it."""
    events = project.journal()
    return events[-1].at - events[0].at
