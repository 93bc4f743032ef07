"""Killed at any instant, plans of any shape come to the same end, and nothing finished is done twice."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from aca.plans.check import Check
from aca.plans.plan import Plan, dump
from aca.plans.task import Task
from tests.core.stories import plans
from tests.faults.sites import Memory, Run, Site
from tests.faults.tally import Tally
from tests.project import SECONDS

PARTS = 2
"""How often random plans are thought of, a few each time."""
SAMPLE = 3
"""How many points of each plan are tried where not all of them are asked for."""
ENDS = (0, 1, 4)
"""How plans end that are carried out."""
START = ("--execution-plan", "plan.json", "--quiet")


def make(path: Path, plan: Plan) -> Site:
    """A workspace with a plan whose every attempt leaves a mark on the disk."""
    working = _working(plan)
    site = Site(path)
    site.write({"replay.toml": _script(working), "plan.json": json.dumps(dump(working))})
    return site


def resume(site: Site, seconds: float = SECONDS) -> Run:
    return site.aca(*(("resume", "--quiet") if site.session() else START), seconds=seconds)


def _work(task: Task) -> str:
    """What a task does: leave a mark, and fail now and then."""
    mark = f"printf x >> $MARKS/{task.id}"
    number = int(task.id[1:])
    if number % 4 == 3 and (task.retries or 0) > 0:  # fails once, and is tried again
        return f"{mark}; test -e flag-{task.id} || {{ touch flag-{task.id}; exit 1; }}"
    return f"{mark}; exit 1" if number % 7 == 5 else mark


def _working(plan: Plan) -> Plan:
    """The plan with something to do: commands, agents, approvals nobody gives, and groups with checks."""
    groups = {task.parent_id for task in plan.tasks}
    tasks = tuple(
        task.model_copy(
            update={"retry_delay": 0.01, "on_failure": _reaction(task), **_kind(task, task.id in groups)}
        )
        for task in plan.tasks
    )
    defaults = plan.defaults.model_copy(update={"provider": "replay"})
    providers = {"replay": {"script": "replay.toml"}}
    workspace = plan.workspace.model_copy(update={"snapshots": False})  # of these there is a story
    return plan.model_copy(
        update={"tasks": tasks, "defaults": defaults, "providers": providers, "workspace": workspace}
    )


def _reaction(task: Task) -> str:
    """Nothing is broken down here, for not every kind of task can be: of that there is a story, too."""
    return "fail" if task.on_failure == "decompose" else task.on_failure


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


@pytest.mark.parametrize("part", range(PARTS))
def test_random_plans_killed_at_a_write(tmp_path: Path, part: int, tally: Tally) -> None:
    """Right before it, in the middle of it, and right after it: the same end as without."""
    numbers = itertools.count()

    @seed(part)
    @examples(3)
    @given(plan=plans(least=5, most=9))
    def sweep(plan: Plan) -> None:
        whole = make(tmp_path / f"{next(numbers)}", plan)
        ended = whole.aca(*START)
        assert ended.status in ENDS, whole.log()
        writes = range(1, ended.commits + 1)
        points = [(write, when) for write in writes for when in ("before", "torn", "after")]
        for write, when in tally.sample(points, SAMPLE):
            site = make(tmp_path / f"{next(numbers)}", plan)
            if not site.aca(*START, kill={"commit": write, "when": when}).is_killed:
                continue
            memory = Memory.of(site)
            assert resume(site).status == ended.status, site.log()
            tally.add((write, when), memory.compared(site, whole.statuses()))

    sweep()


@pytest.mark.parametrize("part", range(2))
def test_random_plans_killed_at_any_time(tmp_path: Path, part: int, tally: Tally) -> None:
    """SIGKILL at random times, several times in a row before it may finish."""
    numbers = itertools.count()

    @seed(part)
    @examples(12 if tally.everything else 3)
    @given(plan=plans(least=3, most=9), delays=st.lists(st.floats(0.0, 0.3), min_size=1, max_size=3))
    def sweep(plan: Plan, delays: list[float]) -> None:
        whole = make(tmp_path / f"{next(numbers)}", plan)
        ended = whole.aca(*START)
        assert ended.status in ENDS, whole.log()
        site = make(tmp_path / f"{next(numbers)}", plan)
        if not any(one.is_killed for one in [resume(site, seconds=delay) for delay in delays]):
            return
        memory = Memory.of(site)
        assert resume(site).status == ended.status, site.log()
        tally.of += 1
        tally.add(delays, memory.compared(site, whole.statuses()))

    sweep()
