"""``aca costs``: every call once, under what it is asked by; what is not known stays so."""

from __future__ import annotations

import pytest

from aca.core.events import TaskCompleted
from tests.project import Project

SCRIPT = """\
[tasks.one]
steps = [{usage = {input_tokens = 1000, output_tokens = 200, cache_read_tokens = 50, cost_usd = 0.02}}]
[tasks.two]
steps = [{usage = {input_tokens = 300, output_tokens = 40, cost_usd = 0.005}}]
[tasks.three]
steps = [{usage = {input_tokens = 7}}]
"""
TASKS = """\
- [ ] One {#one role=writer}
- [ ] Two {#two role=writer model=small}
- [ ] Three {#three}
"""


def run(project: Project) -> None:
    front = project.replay(SCRIPT).replace("---\n", "---\nroles: {writer: {}}\n", 1)
    project.write({"tasks.md": front + TASKS})
    project.run("--task-file", "tasks.md")


def test_the_newest_session_by_task(project: Project) -> None:
    """A line per task and the total, which is known in part only."""
    run(project)
    assert project.run("costs").stdout.splitlines() == [
        "task   calls  input  output  cached  cost",
        "one        1  1,000     200      50  $0.02",
        "two        1    300      40       0  $0.005",
        "three      1      7       0       0  cost unknown",
        "total      3  1,307     240      50  $0.025 + 1 call of unknown cost",
    ]


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("role", ["writer", "(no role)"]),
        ("model", ["replay", "replay, small"]),
        ("task", ["one", "two", "three"]),
    ],
)
def test_by_what_it_is_asked(project: Project, by: str, names: list[str]) -> None:
    """The rows differ, the total does not."""
    run(project)
    told = project.run("costs", "--by", by, "--json").json
    assert [row["name"] for row in told["rows"]] == names
    total = told["total"]
    assert (total["calls"], total["input_tokens"], total["cost_usd"]) == (3, 1307, None)
    assert total["at_least"]["cost_usd"] == 0.025


def test_what_a_fork_has_from_its_origin_counts_once(project: Project) -> None:
    """In all sessions together; alone, the fork tells all that has led to it."""
    front = project.replay('tasks."*".steps = [{usage = {input_tokens = 10, cost_usd = 0.01}}]\n')
    project.write({"tasks.md": front + "- [ ] One {#one}\n- [ ] Two {#two}\n"})
    project.run("--task-file", "tasks.md")
    origin = project.sessions()[0]
    first = next(event for event in project.journal(origin) if isinstance(event, TaskCompleted))
    project.run("resume", f"{origin.id}:{first.seq}")
    assert project.run("costs", "--json").json["total"]["calls"] == 2
    told = project.run("costs", "--all", "--json").json
    assert [row["calls"] for row in told["rows"]] == [2, 1]
    assert told["total"]["cost_usd"] == pytest.approx(0.03)


def test_all_sessions_together(project: Project) -> None:
    """A line per session; a damaged one is left out and named; by day they are one."""
    for _ in range(3):
        run(project)
    damaged = project.sessions()[0]
    damaged.journal_path.write_bytes(b"nonsense\n" + damaged.journal_path.read_bytes())
    outcome = project.run("costs", "--all", "--json", expect=7)
    rows = outcome.json["rows"]
    assert [row["name"] for row in rows] == [one.id for one in project.sessions()[1:]]
    assert outcome.json["total"]["calls"] == 6
    assert f"session {damaged.id} is left out" in outcome.stderr
    assert len(project.run("costs", "--all", "--by", "day", "--json", expect=7).json["rows"]) in (1, 2)


def test_a_plan_of_commands_has_used_no_model(project: Project) -> None:
    """And says so."""
    project.write({"tasks.md": '- [ ] One {run="true"}\n'})
    project.run("--task-file", "tasks.md")
    assert project.run("costs").stdout == "no model used\n"
    assert project.run("costs", "--json").json["rows"] == []


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--by", "tsk"], '"tsk" is unknown here; did you mean "task"?'),
        (["--all", "some"], "--all means every session: name none"),
        ([], "there is no session"),
    ],
)
def test_what_cannot_be_shown_is_told(project: Project, args: list[str], told: str) -> None:
    """Exit code 2."""
    assert told in project.run("costs", *args, expect=2).stderr
