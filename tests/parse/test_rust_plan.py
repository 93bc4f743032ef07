"""Plans of the Rust ``aca``, read into our model with nothing lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.parse.desk import Desk

SETUP: dict[str, Any] = {
    "id": "7d44a7a1-6a5b-4b7e-9c49-b25f2d1f1f01",
    "name": "install",
    "command": "npm",
    "args": ["install", "--quiet"],
    "working_dir": "web",
    "timeout": [90, 500_000_000],
    "required": True,
    "error_handler": None,
}
SPEC: dict[str, Any] = {
    "title": "Search",
    "description": "Implement it.",
    "metadata": {
        "priority": "Critical",
        "estimated_complexity": "Epic",
        "estimated_duration": [2592000, 0],
        "repository_refs": [
            {"name": "shop", "url": "https://example.org/shop", "branch": "main", "commit": None}
        ],
        "file_refs": [{"path": "a.md", "repository": "shop", "line_range": [1, 9], "importance": "High"}],
        "tags": ["search"],
        "context_requirements": {
            "required_files": ["b.md"],
            "required_repositories": ["lib"],
            "build_dependencies": ["cargo", "node"],
            "environment_vars": {"PORT": "80"},
            "claude_context_keys": ["k"],
        },
    },
    "dependencies": [],
}


def rust_plan(**parts: Any) -> str:
    plan = {
        "setup_commands": [],
        "task_specs": [],
        "execution_mode": "Sequential",
        "metadata": {
            "name": None,
            "description": None,
            "tags": [],
            "estimated_duration": None,
            "custom_metadata": {},
        },
    }
    return json.dumps(plan | parts, indent=2)


@pytest.fixture
def shop(desk: Desk) -> Desk:
    """A workspace with the files that the plan names."""
    desk.write("a.md", "x")
    desk.write("b.md", "x")
    return desk


def test_a_task_keeps_all_that_was_said_of_it(shop: Desk) -> None:
    """What has no place of its own is a line of the description."""
    task = shop.task(rust_plan(task_specs=[SPEC]), "plan.json")
    assert (task.id, task.title, task.kind) == ("search", "Search", "agent")
    assert (task.priority, task.estimated_complexity, task.tags) == (9, 10, ("search",))
    assert task.file_refs == ("b.md", "a.md")
    assert task.repository_refs == ("https://example.org/shop", "lib")
    assert task.env == {"PORT": "80"}
    assert task.description == (
        "Implement it.\n\n"
        "Estimated duration: 30d\n"
        "Build dependencies: cargo, node\n"
        "Context keys: k\n"
        "Repository shop: url https://example.org/shop, branch main\n"
        "File a.md: repository shop, lines 1-9, importance High"
    )


@pytest.mark.parametrize(
    ("priority", "number"), [("Critical", 9), ("High", 7), ("Normal", 5), ("Low", 3), ("Background", 1)]
)
@pytest.mark.parametrize(
    ("complexity", "level"),
    [("Trivial", 1), ("Simple", 3), ("Moderate", 5), ("Complex", 8), ("Epic", 10), (None, None)],
)
def test_words_become_numbers(
    desk: Desk, priority: str, number: int, complexity: str | None, level: int | None
) -> None:
    """Priorities and complexities have an order."""
    spec = {"title": "A", "metadata": {"priority": priority, "estimated_complexity": complexity}}
    task = desk.task(rust_plan(task_specs=[spec]), "plan.json")
    assert (task.priority, task.estimated_complexity) == (number, level)


@pytest.mark.parametrize(
    ("mode", "ours", "number"),
    [
        ("Sequential", "sequential", 1),
        ("Intelligent", "intelligent", 3),
        ({"Parallel": {"max_concurrent": 4}}, "parallel", 4),
        ({"Parallel": {"max_concurrent": None}}, "parallel", 3),
    ],
)
def test_the_modes_are_ours(desk: Desk, mode: object, ours: str, number: int) -> None:
    """Where no number is given, three at a time."""
    plan = desk.plan(rust_plan(task_specs=[{"title": "A"}], execution_mode=mode), "plan.json")
    assert (plan.execution_mode, plan.max_concurrent_tasks) == (ours, number)


def test_what_is_said_of_the_plan_is_kept(desk: Desk) -> None:
    """In its name and description."""
    about = {
        "name": "Shop",
        "description": "All of it.",
        "tags": ["a", "b"],
        "estimated_duration": [3600, 0],
        "custom_metadata": {"owner": "me"},
    }
    plan = desk.plan(rust_plan(task_specs=[{"title": "A"}], metadata=about), "plan.json")
    assert plan.name == "Shop"
    assert plan.description == "All of it.\n\nTags: a, b\nEstimated duration: 1h\nowner: me"


def test_setup_commands_run_first_and_in_order(desk: Desk) -> None:
    """Each after the one before, and every task after the last."""
    second = SETUP | {"name": "check", "command": "node", "args": [], "timeout": None, "working_dir": None}
    tasks = desk.tasks(
        rust_plan(setup_commands=[SETUP, second], task_specs=[{"title": "A"}, {"title": "B"}]), "p.json"
    )
    install, check, a, b = tasks
    assert (install.kind, install.command) == ("command", ("npm", "install", "--quiet"))
    assert (install.cwd, install.timeout, install.on_failure) == ("web", 90.5, "fail")
    assert check.command == ("node",)
    assert [task.dependencies for task in tasks] == [(), ("install",), ("check",), ("check",)]
    assert (a.kind, b.kind) == ("agent", "agent")


@pytest.mark.parametrize(
    ("changes", "key", "value"),
    [
        ({"required": False}, "on_failure", "skip"),
        ({"error_handler": {"name": "h", "strategy": "Skip"}}, "on_failure", "skip"),
        ({"error_handler": {"strategy": {"Retry": {"max_attempts": 3, "delay": [2, 0]}}}}, "retries", 3),
        (
            {"error_handler": {"strategy": {"Retry": {"max_attempts": 3, "delay": [2, 0]}}}},
            "retry_delay",
            2.0,
        ),
        ({"error_handler": {"strategy": {"Retry": {"max_attempts": 9999, "delay": [0, 0]}}}}, "retries", 100),
        (
            {"error_handler": {"strategy": {"Backup": {"backup_command": "echo", "backup_args": ["no"]}}}},
            "backup",
            ("echo", "no"),
        ),
    ],
)
def test_errors_are_handled_as_the_plan_says(
    desk: Desk, changes: dict[str, Any], key: str, value: object
) -> None:
    """Skip, retry or a backup."""
    task = desk.task(rust_plan(setup_commands=[SETUP | changes]), "plan.json")
    assert getattr(task, key) == value


def test_a_narrower_backup_is_told(desk: Desk) -> None:
    """Ours runs after any failure."""
    condition = {
        "check_stdout": False,
        "check_stderr": True,
        "contains": "not found",
        "not_contains": "denied",
        "exit_code_range": [1, 127],
    }
    strategy = {"Backup": {"condition": condition, "backup_command": "echo", "backup_args": []}}
    task = desk.task(
        rust_plan(setup_commands=[SETUP | {"error_handler": {"name": "", "strategy": strategy}}]), "p.json"
    )
    assert task.description == (
        'The backup was meant for when stderr contains "not found" and stderr does not contain "denied" '
        "and the exit code is 1 to 127; it runs after any failure."
    )


@pytest.mark.parametrize(
    "need",
    [0, "Search", "search", "fa76b1e0-308d-5fc2-acdd-dae5c80c37e3", "my-own-uuid"],
)
def test_a_task_is_needed_by_any_of_its_names(desk: Desk, need: object) -> None:
    """Its place, its title, our id, its own, or the one the Rust tool makes of the title."""
    specs = [{"id": "my-own-uuid", "title": "Search"}, {"title": "Pay", "dependencies": [need]}]
    assert desk.tasks(rust_plan(task_specs=specs), "plan.json")[1].dependencies == ("search",)


def test_the_same_plan_may_be_toml(desk: Desk) -> None:
    """Both are spellings of one thing."""
    content = '[[task_specs]]\ntitle = "A"\n[task_specs.metadata]\npriority = "High"\n'
    assert desk.task(content, "plan.toml").priority == 7


def test_a_mistake_is_told_in_the_plans_own_words(desk: Desk) -> None:
    """And where it stands in the file."""
    told = desk.complaint(
        rust_plan(task_specs=[{"title": "A", "metadata": {"prority": "High"}}]), "plan.json"
    )
    assert told.split("\n") == [
        'plan.json:7: task "A": unknown key "prority" in metadata',
        '    7 |         "prority": "High"',
        '                 ^^^^^^^ did you mean "priority"?',
        "1 problem, nothing was run",
    ]


def test_what_is_found_later_stands_where_it_is_written(desk: Desk) -> None:
    """After the plan has been brought into our shape."""
    content = rust_plan(
        setup_commands=[SETUP | {"working_dir": "../up"}], task_specs=[{"title": "A", "dependencies": ["B"]}]
    )
    told = desk.complaint(content, "plan.json")
    lines = content.split("\n")
    for number, line in enumerate(lines, 1):
        if "../up" in line or '"B"' in line:
            assert f"plan.json:{number}: " in told


def test_a_missing_file_is_told_where_it_is_named(desk: Desk) -> None:
    """Plans of models name files that are not there."""
    told = desk.complaint(rust_plan(task_specs=[SPEC]), "plan.json")
    assert '"b.md"' in told
    assert "^^^^" in told
