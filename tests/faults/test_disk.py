"""What breaks on purpose: said by name, with the right exit code, and never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from aca.core import events as ev
from tests.project import Project


@pytest.fixture
def small_disk(project: Project) -> Iterator[Path]:
    """A disk of 400 KiB inside the project."""
    disk = project.root / "disk"
    disk.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], check=False, capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("only root may mount the small disk this fills")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_fills_up_is_told_once_and_resumed(project: Project, small_disk: Path) -> None:
    """No traceback, one verdict, and when there is room again the session goes on."""
    lines = ["printf x >> first", "head -c 10000000 /dev/zero > fill.bin; true", *["true"] * 30]
    tasks = "".join(f'{number}. Step {number} {{run="{run}"}}\n' for number, run in enumerate(lines, 1))
    project.write({"tasks.md": tasks})
    outcome = project.run("--task-file", "tasks.md", "--workspace", "disk", expect=7)
    assert "Traceback" not in outcome.stderr
    assert outcome.stderr.count("No space left on device") == 1
    assert "`aca resume` goes on" in outcome.stderr
    (small_disk / "fill.bin").unlink()
    project.run("resume", "--workspace", "disk")
    assert (small_disk / "first").read_text() == "x"


def test_a_journal_without_its_beginning_is_damaged(project: Project) -> None:
    """Emptied, it must not look like a session in which nothing has happened yet."""
    project.write({"tasks.md": '- [ ] Once {run="printf x >> once"}\n'})
    project.run("--task-file", "tasks.md")
    project.session().journal_path.write_bytes(b"")
    assert "its beginning is missing" in project.run("resume", expect=7).stderr
    assert project.read("once") == "x"


def test_a_task_that_removes_the_session_is_told(project: Project) -> None:
    """Nothing can go on, and nobody calls it a bug."""
    project.write({"tasks.md": '1. Remove {run="rm -rf .aca"}\n2. Go on {run="true"}\n'})
    outcome = project.run("--task-file", "tasks.md", expect=7)
    assert "something has removed it" in outcome.stderr + outcome.stdout


def test_a_task_that_replaces_the_session_by_a_copy_is_told(project: Project) -> None:
    """What would be written from then on nobody would find."""
    replace = "test -e done || (touch done; mv .aca old; cp -r old .aca; rm -r old)"
    project.write({"tasks.md": f'1. Replace {{run="{replace}"}}\n2. Go on {{run="true"}}\n'})
    outcome = project.run("run", "tasks.md", expect=7)
    assert "something has removed it, or replaced it" in outcome.stderr + outcome.stdout
    project.run("resume")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('timeout = "1e308"', "a duration cannot be"),
        ("timeout = 0", "should be more than 0"),
        ('run = " "', "a command cannot be empty"),
        ('run = ["\\u0000"]', "a command cannot contain a null character"),
        ('run = "true"\nenv = {"A=B" = "c"}', '"A=B" cannot be an environment variable'),
    ],
)
def test_values_that_cannot_work_are_refused_with_their_line(project: Project, text: str, told: str) -> None:
    """Before anything runs."""
    project.write({"tasks.toml": f'[[tasks]]\ntitle = "A"\n{text}\n'})
    outcome = project.run("--task-file", "tasks.toml", expect=2)
    assert told in outcome.stderr
    assert "tasks.toml:" in outcome.stderr


def test_lists_that_are_nested_too_deep_are_refused(project: Project) -> None:
    """No task is swallowed."""
    deep = "\n".join("  " * level + f"- [ ] Level {level}" for level in range(101))
    project.write({"tasks.md": deep + "\n"})
    outcome = project.run("--task-file", "tasks.md", "--dry-run", expect=2)
    assert outcome.stderr.startswith("tasks.md:101: lists are nested more than 100 deep here")
    project.write({"tasks.md": "\n".join(deep.split("\n")[:100]) + "\n"})
    project.run("--task-file", "tasks.md", "--dry-run")


SLOW = """\
import os, time

open("slowed", "w").close()

sync = os.fsync


def slowly(file):
    time.sleep(0.2)
    sync(file)


os.fsync = slowly
"""
"""What Python reads as it starts: every fsync takes long, as on a disk that is worn, far away, or shared."""


def test_a_slow_disk_costs_time_and_nothing_else(project: Project) -> None:
    """Killed while it writes, interrupted, resumed: what was done is done, and Ctrl-C is heard."""
    project.write({"slow/sitecustomize.py": SLOW})
    lines = [f'- [ ] Step {n} {{#s{n} run="printf x >> m{n}; sleep 0.1"}}' for n in range(8)]
    project.write({"tasks.md": "---\nmax_concurrent_tasks: 4\n---\n" + "\n".join(lines) + "\n"})
    slow = {"PYTHONPATH": f"{project.root / 'slow'}:{project.env()['PYTHONPATH']}"}
    running = project.start("run", "tasks.md", env=slow)
    running.until((project.root / "m2").exists)
    running.kill()
    assert (project.root / "slowed").exists()
    running = project.start("resume", env=slow)
    running.until((project.root / "m5").exists)
    running.signal(signal.SIGINT)
    running.finish(expect=130, seconds=20)
    project.run("resume", env=slow)
    starts = Counter(one.task for one in project.journal() if isinstance(one, ev.TaskStarted))
    assert all(len(project.read(f"m{name[1:]}")) <= count for name, count in starts.items())
    ends = [one.task for one in project.journal() if isinstance(one, ev.TaskCompleted)]
    assert sorted(ends) == [f"s{n}" for n in range(8)]
    assert project.processes() == []
