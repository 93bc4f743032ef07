"""Nothing is left behind: not by an end in good order, not by ``kill -9`` once the next aca has started."""

from __future__ import annotations

import signal
import sys

import pytest

from tests.project import Project, Running

LONG = f"{sys.executable} -c 'import time; time.sleep(600)'"
TASKS = f"""
    - [ ] Wait long {{#long run="echo here > started; setsid {LONG} & {LONG}"}}
    """


def started(project: Project) -> Running:
    """An aca whose task has a child of its own and one in a session of its own."""
    project.write({"tasks.md": TASKS})
    running = project.start("--task-file", "tasks.md", anew=True)
    running.until((project.root / "started").exists)
    running.until(lambda: len(project.processes()) >= 4)
    return running


@pytest.mark.parametrize("first", ["resume", "another session"])
def test_what_a_killed_aca_left_is_ended_by_the_next_one(project: Project, first: str) -> None:
    """Whether that goes on with the session or runs something else in the workspace."""
    started(project).kill()
    assert len(project.processes()) >= 3
    project.write({"other.md": '- [ ] Nothing much {run="true"}\n'})
    if first == "resume":
        again = project.start("resume", anew=True)
        again.until(lambda: "that an earlier aca left behind" in again.stderr)
        again.until(lambda: "attempt 2" in again.stderr)
        again.signal(signal.SIGINT)
        again.finish(expect=130)
    else:
        outcome = project.run("--task-file", "other.md")
        assert "that an earlier aca left behind" in outcome.stderr
    assert project.processes() == []


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143), (signal.SIGQUIT, 143)],
)
def test_an_interrupted_aca_leaves_nobody(project: Project, number: signal.Signals, code: int) -> None:
    """And says how to go on."""
    running = started(project)
    running.signal(number)
    outcome = running.finish(expect=code)
    assert "aca resume" in outcome.stderr + outcome.stdout
    assert project.processes() == []
    assert project.session().state().states["long"].status == "pending"


def test_a_second_interrupt_does_not_wait(project: Project) -> None:
    """A task that ignores the first Ctrl-C is killed at the second."""
    stubborn = """
        import pathlib, signal, time
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        pathlib.Path("ready").touch()
        time.sleep(600)
        """
    task = f'- [ ] Stubborn {{#it run="exec {sys.executable} stubborn.py"}}\n'
    project.write({"stubborn.py": stubborn, "tasks.md": task})
    running = project.start("--task-file", "tasks.md", anew=True)
    running.until((project.root / "ready").exists)
    running.signal(signal.SIGINT)
    running.until(lambda: "again kills it now" in running.stderr)
    running.signal(signal.SIGINT)
    outcome = running.finish(expect=130, seconds=5)
    assert "killing what runs now" in outcome.stderr
    assert project.processes() == []


DETACHED = """
import os, subprocess, sys
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
os.closerange(0, 3)
os.execve(sys.executable, ["daemon", "-c", "import time; time.sleep(600)"], {"HOME": sys.argv[1]})
"""
"""A daemon by the book: forked twice, a session of its own, nothing open, an environment of its own."""


def test_a_task_that_becomes_a_daemon_is_not_left_running(project: Project) -> None:
    """Its attempt has ended long ago, and no mark tells whose it was: it goes with aca at the latest."""
    project.write({"daemon.py": DETACHED})
    task = f'run="{sys.executable} daemon.py {project.home}; echo begun"'
    project.write({"tasks.md": f'- [ ] Begin {{#begin {task}}}\n- [ ] Go on {{needs=begin run="true"}}\n'})
    project.run("run", "tasks.md")
    assert project.processes() == []
