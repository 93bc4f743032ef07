"""Killed at any instant, it goes on: the same end, nothing finished done twice, nobody left behind."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from aca import events as ev
from aca import journal
from aca.plan import Check, Plan, Task, dump
from aca.session import Session, listing
from tests.core.stories import plans

PARTS = 4
"""How many random plans are taken apart, each at every one of its commits; 200 points are not too few."""
POINTS: list[str] = []


class Server:
    """The process that forks (``forks.py``)."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.forks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, request: dict[str, Any]) -> dict[str, int]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, int] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.communicate(timeout=30)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


@dataclass
class Site:
    """A workspace with a plan whose every attempt leaves a mark on the disk."""

    path: Path
    plan: Plan
    server: Server
    runs: itertools.count[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        (self.path / "marks").mkdir(parents=True)
        working = _working(self.plan)
        (self.path / "replay.toml").write_text(_script(working))
        (self.path / "plan.json").write_text(json.dumps(dump(working)))

    def aca(self, *argv: str, kill: dict[str, Any] | None = None) -> dict[str, int]:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.path), "LANG": "C.UTF-8"}
        log = str(self.path / f"run-{next(self.runs)}.log")
        return self.server.run(
            {"argv": list(argv), "cwd": str(self.path), "env": env, "log": log, "kill": kill}
        )

    def start(self, kill: dict[str, Any] | None = None) -> dict[str, int]:
        return self.aca("--execution-plan", "plan.json", "--quiet", kill=kill)

    def resume(self, kill: dict[str, Any] | None = None) -> dict[str, int]:
        return self.aca("resume", "--quiet", kill=kill) if self.session() else self.start(kill)

    def session(self) -> Session | None:
        return next(iter(listing(self.path)), None)

    def events(self) -> list[ev.AnyEvent]:
        one = self.session()
        return journal.read(one.journal_path) if one else []

    def statuses(self) -> dict[str, str]:
        one = self.session()
        assert one is not None
        return {task_id: task.status for task_id, task in one.state().states.items()}

    def marks(self) -> dict[str, int]:
        """How often each task's own work was really done."""
        return {mark.name: len(mark.read_text()) for mark in (self.path / "marks").iterdir()}

    def left_behind(self) -> list[psutil.Process]:
        """Processes that belong to this site's sessions."""
        ids = {one.id for one in listing(self.path)}
        return [one for one in psutil.process_iter() if _session_of(one) in ids]

    def log(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.path.glob("run-*.log")))


def _session_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("ACA_SESSION")
    except psutil.Error:
        return None


def _work(task: Task) -> str:
    """What a task does: leave a mark, and fail now and then."""
    mark = f"printf x >> marks/{task.id}"
    number = int(task.id[1:])
    if number % 4 == 3 and (task.retries or 0) > 0:  # fails once, and is tried again
        return f"{mark}; test -e flag-{task.id} || {{ touch flag-{task.id}; exit 1; }}"
    return f"{mark}; exit 1" if number % 7 == 5 else mark


def _working(plan: Plan) -> Plan:
    """The plan with something to do: commands, agents, approvals nobody gives, and groups with checks."""
    groups = {task.parent_id for task in plan.tasks}
    tasks = tuple(
        task.model_copy(update={"retry_delay": 0.01, **_kind(task, task.id in groups)}) for task in plan.tasks
    )
    defaults = plan.defaults.model_copy(update={"provider": "replay"})
    providers = {"replay": {"script": "replay.toml"}}
    workspace = plan.workspace.model_copy(update={"snapshots": False})  # for them there is test_inplace.py
    return plan.model_copy(
        update={"tasks": tasks, "defaults": defaults, "providers": providers, "workspace": workspace}
    )


def _kind(task: Task, is_group: bool) -> dict[str, Any]:
    number = int(task.id[1:])
    if is_group:
        return {"checks": (Check(run=_work(task)),)} if number % 3 != 1 else {}
    if number % 8 == 6:
        return {"kind": "approval"}
    return {"kind": "command", "command": _work(task)} if number % 2 == 0 else {}


def _script(plan: Plan) -> str:
    """What the agents do. There is no entry for a group: nobody may ever ask for one."""
    groups = {task.parent_id for task in plan.tasks}
    step = "[tasks.{}]\nsteps = [{{run = {}, must = true}}]\n"
    agents = (task for task in plan.tasks if task.kind == "agent" and task.id not in groups)
    return "\n".join(step.format(task.id, json.dumps(_work(task))) for task in agents)


def examples(number: int) -> settings:
    """Settings for tests whose example is expensive: a few, not shrunk, each with a directory of its own."""
    return settings(
        max_examples=number, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )


def check(site: Site, kill: dict[str, Any], expected: dict[str, str], code: int) -> None:
    """Start, die, go on, and compare with the uninterrupted session."""
    site.start(kill=kill)
    finished = {event.task for event in site.events() if isinstance(event, ev.TaskCompleted)}
    before = site.marks()
    assert site.resume()["status"] == code, site.log()
    assert site.statuses() == expected, site.log()
    after = site.marks()
    assert {name: after[name] for name in finished & after.keys()} == {
        name: before[name] for name in finished & before.keys()
    }
    starts = [event.task for event in site.events() if isinstance(event, ev.TaskStarted)]
    assert all(count <= starts.count(name) for name, count in after.items())
    assert site.left_behind() == []
    POINTS.append(str(kill))


@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_every_commit_it_comes_to_the_same_end(
    server: Server, tmp_path: Path, part: int, record_property: Any
) -> None:
    """SIGKILL right before, in the middle of, and right after each write of the journal."""
    numbers = itertools.count()

    @seed(part)
    @examples(3)
    @given(plan=plans(least=5, most=9))
    def sweep(plan: Plan) -> None:
        whole = Site(tmp_path / f"{next(numbers)}", plan, server)
        ended = whole.start()
        expected = whole.statuses()
        for commit in range(1, ended["commits"] + 1):
            for when in ("before", "torn", "after"):
                site = Site(tmp_path / f"{next(numbers)}", plan, server)
                check(site, {"commit": commit, "when": when}, expected, ended["status"])

    POINTS.clear()
    sweep()
    record_property("crash points", len(POINTS))
    assert len(POINTS) >= 200 // PARTS, "too few points: raise PARTS or the number of examples"


@pytest.mark.parametrize("part", range(2))
def test_killed_at_any_time_it_comes_to_the_same_end(server: Server, tmp_path: Path, part: int) -> None:
    """SIGKILL at random times, several times in a row before it may finish."""
    numbers = itertools.count()

    @seed(part)
    @examples(12)
    @given(plan=plans(least=3, most=9), delays=st.lists(st.floats(0.0, 0.3), min_size=1, max_size=3))
    def sweep(plan: Plan, delays: list[float]) -> None:
        whole = Site(tmp_path / f"{next(numbers)}", plan, server)
        ended = whole.start()
        site = Site(tmp_path / f"{next(numbers)}", plan, server)
        for delay in delays[1:]:
            site.resume(kill={"after": delay})
        if site.session() is None:
            check(site, {"after": delays[0]}, whole.statuses(), ended["status"])
        else:
            site.resume()
            assert site.statuses() == whole.statuses(), site.log()
            assert site.left_behind() == []

    sweep()
