"""The first minutes: ``aca init``."""

from __future__ import annotations

import tomllib

from tests.project import Project


def test_init_writes_files_that_can_be_used_at_once(project: Project) -> None:
    """Settings that are valid, tasks that make a plan, and sessions kept out of commits."""
    outcome = project.run("init")
    assert outcome.stdout.splitlines() == [
        "wrote .aca/.gitignore", "wrote .aca/plan.schema.json", "wrote aca.toml", "wrote tasks.md",
        "next: aca --task-file tasks.md --dry-run",
    ]  # fmt: skip
    assert project.read(".aca/.gitignore").splitlines()[-1] == "*"
    assert "3  The overview has its next steps" in project.run("--task-file", "tasks.md", "--dry-run").stdout


def test_what_init_suggests_is_valid_when_taken(project: Project) -> None:
    """Every commented setting works when its "# " is taken away."""
    project.run("init")
    lines = project.read("aca.toml").splitlines()[2:]
    taken = "\n".join(line.removeprefix("# ") for line in lines if "= 3 " not in line)
    project.write({"aca.toml": taken})
    assert tomllib.loads(taken)["limits"]["max_cost_usd"] == 5.0
    assert "aca.toml:" in project.run("config").stdout


def test_init_twice_changes_nothing(project: Project) -> None:
    """What somebody has written meanwhile is kept, and that is said."""
    project.run("init")
    project.write({"aca.toml": 'model = "mine"\n'})
    assert project.run("init").stdout.splitlines()[:4] == [
        "kept  .aca/.gitignore", "kept  .aca/plan.schema.json", "kept  aca.toml", "kept  tasks.md",
    ]  # fmt: skip
    assert project.read("aca.toml") == 'model = "mine"\n'
