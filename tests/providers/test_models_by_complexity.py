"""Simple tasks and complex ones may be done by different models."""

from __future__ import annotations

import pytest

from tests.model_server import ModelServer, text
from tests.project import Project
from tests.providers.test_model_apis import environment

MODELS = 'models = {simple = "small", medium = "middle", complex = "large"}\n'
TASKS = """\
- [ ] Three {#three complexity=3}
- [ ] Four {#four complexity=4}
- [ ] Seven {#seven complexity=7}
- [ ] Eight {#eight complexity=8}
- [ ] Unknown {#unknown}
- [ ] Named {#named complexity=9 model=chosen}
- [ ] Of a role {#of-a-role complexity=9 role=typist}
- [ ] Of a wise role {#of-a-wise-role complexity=9 role=wise}
"""
ROLES = '[roles.typist]\nmodel = "fast"\n[roles.wise]\nmodels = {complex = "wisest"}\n'
EXPECTED = ["small", "middle", "middle", "large", "middle", "chosen", "fast", "wisest"]


def planned(project: Project, *args: str) -> list[str | None]:
    """The models in the lines of a dry run."""
    told = project.run("--task-file", "tasks.md", "--provider", "anthropic", "--dry-run", *args,
                       env={"ANTHROPIC_API_KEY": "a-key-for-tests"}).stdout  # fmt: skip
    lines = [line.split(", ") for line in told.splitlines() if "agent: " in line]
    return [parts[1] if len(parts) == 3 else None for parts in lines]


def test_each_task_is_done_by_the_model_for_its_complexity(project: Project) -> None:
    """What the dry run says is what the server is asked for; a name of its own or of its role comes first."""
    project.write({"tasks.md": TASKS, "aca.toml": f'provider = "anthropic"\n{MODELS}{ROLES}'})
    assert planned(project) == EXPECTED
    with ModelServer() as server:
        server.script("work", *[[text("Done.")]] * 8)
        project.run("--task-file", "tasks.md", env=environment(server))
        assert [request.body["model"] for request in server.requests] == EXPECTED


def test_a_plan_keeps_the_models(project: Project) -> None:
    """In both spellings."""
    project.write({"tasks.md": TASKS, "aca.toml": f'provider = "anthropic"\n{MODELS}{ROLES}'})
    for name in ("plan.json", "plan.toml"):
        planned(project, "--dump-plan", name)
        plan = project.run("--execution-plan", name, "--dry-run", "--json").json
        assert plan["defaults"]["models"] == {"simple": "small", "medium": "middle", "complex": "large"}
        assert plan["roles"]["wise"]["models"] == {"complex": "wisest"}


@pytest.mark.parametrize(
    ("front", "args", "expected"),
    [
        ("", (), ["small", "large"]),
        ("", ("--model", "one"), ["one", "one"]),
        ("---\nmodel: one\n---\n", (), ["one", "one"]),
        ('+++\nmodel = "one"\nmodels = {complex = "big"}\n+++\n', (), ["small", "big"]),
    ],
)
def test_the_nearest_word_counts(
    project: Project, front: str, args: tuple[str, ...], expected: list[str]
) -> None:
    """One model that is named nearer than the models by complexity does all tasks."""
    tasks = "- [ ] A {#a complexity=1}\n- [ ] B {#b complexity=10}\n"
    project.write({"tasks.md": front + tasks, "aca.toml": MODELS})
    assert planned(project, *args) == expected


def test_what_is_not_named_is_the_default(project: Project) -> None:
    """A table may say something of complex tasks only."""
    tasks = "- [ ] A {#a complexity=1}\n- [ ] B {#b complexity=10}\n"
    project.write({"tasks.md": tasks, "aca.toml": 'model = "usual"\nmodels = {complex = "big"}\n'})
    assert planned(project) == ["usual", "big"]
