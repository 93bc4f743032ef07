"""TOML and JSON: task files, settings and plans."""

from __future__ import annotations

from typing import Any

import pytest

from aca import parse
from tests.parse.desk import Desk


@pytest.mark.parametrize(
    ("written", "key", "value"),
    [
        ('needs = ["a"]', "dependencies", ("a",)),
        ('depends_on = "a"', "dependencies", ("a",)),
        ('dependencies = ["Task A"]', "dependencies", ("a",)),
        ('needs = "task a, b"', "dependencies", ("a", "b")),
        ("complexity = 4", "estimated_complexity", 4),
        ('run = "make"', "command", "make"),
        ('run = ["make", "-j"]', "command", ("make", "-j")),
        ('parent = "Task A"', "parent_id", "a"),
        ('parent_id = "a"', "parent_id", "a"),
        ('priority = "critical"', "priority", 9),
        ('env = {A = "b"}', "env", {"A": "b"}),
    ],
)
def test_a_task_may_use_the_words_people_use(desk: Desk, written: str, key: str, value: Any) -> None:
    """The plan has one word for each."""
    head = '[[tasks]]\nid = "a"\nname = "Task A"\n[[tasks]]\ntitle = "B"\n[[tasks]]\ntitle = "C"\n'
    task = desk.tasks(head + written, "t.toml")[2]
    assert getattr(task, key) == value


def test_a_command_needs_no_kind(desk: Desk) -> None:
    """Where there is one, it counts."""
    tasks = desk.tasks(
        '[[tasks]]\ntitle = "a"\nrun = "x"\n[[tasks]]\ntitle = "b"\nkind = "approval"\n', "t.toml"
    )
    assert [task.kind for task in tasks] == ["command", "approval"]


@pytest.mark.parametrize("key", ["check", "checks"])
def test_one_check_needs_no_list(desk: Desk, key: str) -> None:
    """Text is a command."""
    task = desk.task(f'[[tasks]]\ntitle = "a"\n{key} = "pytest -q"\n', "t.toml")
    assert [check.run for check in task.checks] == ["pytest -q"]


SETTINGS = """\
provider = "replay"
retries = 4
timeout = "5m"
max_concurrent_tasks = 3
[session]
max_duration_hours = 8
checkpoint_interval_minutes = 30
[rate_limiting]
max_requests_per_minute = 30
[claude_code]
model = "opus"
[providers.replay]
script = "s.toml"
"""


@pytest.mark.parametrize("name", ["aca.toml", "tasks.toml", "tasks.md"])
def test_settings_are_the_same_in_every_file(desk: Desk, name: str) -> None:
    """At the top of a task file, in its front matter, and in the project's settings."""
    if name == "aca.toml":
        data = parse.read_settings(desk.write(name, SETTINGS), base=desk.root).data
        assert "tasks" not in data
    else:
        tasks = (
            f"+++\n{SETTINGS}+++\n- [ ] a\n" if name.endswith("md") else f"{SETTINGS}[[tasks]]\ntitle = 'a'\n"
        )
        desk.write(name, tasks)
        data = desk.read(name).data
    assert data["defaults"] == {"provider": "replay", "retries": 4, "timeout": "5m"}
    assert data["limits"] == {"max_duration": "8h"}
    assert data["checkpoint_interval"] == "30m"
    assert data["rate_limiting"] == {"requests_per_minute": 30}
    assert data["providers"] == {"replay": {"script": "s.toml"}, "claude-cli": {"model": "opus"}}
    assert data["max_concurrent_tasks"] == 3


def test_session_may_say_how_many_tasks_run_at_a_time(desk: Desk) -> None:
    """As people know it from the Rust tool."""
    assert (
        desk.plan(
            "[session]\nmax_concurrent_tasks = 2\n[[tasks]]\ntitle='a'\n", "t.toml"
        ).max_concurrent_tasks
        == 2
    )


@pytest.mark.parametrize(
    ("data", "mode", "number"),
    [
        ({}, None, None),
        ({"max_concurrent_tasks": 1}, None, 1),
        ({"max_concurrent_tasks": 4}, "parallel", 4),
        ({"max_concurrent_tasks": "12"}, "parallel", "12"),
        ({"execution_mode": "intelligent"}, "intelligent", 3),
        ({"execution_mode": "parallel"}, "parallel", 3),
        ({"execution_mode": "parallel", "max_concurrent_tasks": 1}, "parallel", 1),
        ({"execution_mode": "sequential"}, "sequential", None),
        ({"max_concurrent_tasks": "many"}, None, "many"),
    ],
)
def test_mode_and_number_imply_each_other(data: dict[str, Any], mode: str | None, number: object) -> None:
    """Where only one of them is given."""
    parse.imply_mode(data)
    assert (data.get("execution_mode"), data.get("max_concurrent_tasks")) == (mode, number)


def test_in_a_plan_nothing_is_implied(desk: Desk) -> None:
    """It is taken as written; short forms at its top are unknown keys."""
    content = '{"format_version": 1, "execution_mode": "parallel", "tasks": [{"id": "a", "title": "A"}]}'
    plan = desk.plan(content, "plan.json")
    assert (plan.name, plan.max_concurrent_tasks) == ("", 1)
    assert 'unknown key "retries"' in desk.complaint(
        'format_version = 1\nretries = 3\n[[tasks]]\ntitle="a"\n', "p.toml"
    )


@pytest.mark.parametrize("top", ['"format_version": 1', '"$schema": "urn:aca:schema:plan:1"'])
def test_a_plan_is_known_by_its_version_or_schema(desk: Desk, top: str) -> None:
    """And only it."""
    desk.write("x.json", f'{{{top}, "tasks": [{{"id": "a", "title": "A"}}]}}')
    desk.write("y.json", '{"tasks": [{"title": "A"}]}')
    assert (desk.read("x.json").is_plan, desk.read("y.json").is_plan) == (True, False)


def test_a_plan_may_use_the_words_of_task_files_in_its_tasks(desk: Desk) -> None:
    """People edit plans by hand."""
    content = '{"format_version": 1, "tasks": [{"name": "A"}, {"name": "B", "needs": ["A"], "run": "x"}]}'
    a, b = desk.tasks(content, "plan.json")
    assert (a.id, b.id, b.dependencies, b.kind) == ("a", "b", ("a",), "command")


def test_checks_at_the_top_are_for_agent_tasks_without_their_own(desk: Desk) -> None:
    """Not for groups, commands or approvals."""
    content = """---
checks: pytest
---
- [ ] group
  - [ ] part
  - [ ] own {check=ruff}
- [ ] cmd {run=ls}
- [ ] ask {kind=approval}
"""
    checks = {task.id: [check.title for check in task.checks] for task in desk.tasks(content)}
    assert checks == {"group": [], "part": ["pytest"], "own": ["ruff"], "cmd": [], "ask": []}
