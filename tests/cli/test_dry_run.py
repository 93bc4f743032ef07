"""Looking before leaping: ``--dry-run`` and ``--dump-plan``."""

from __future__ import annotations

import json
import tomllib

import jsonschema
import pytest

from tests.project import Project

TASKS = """\
# Accounts
- [x] Set up
- [ ] Create the model {#model priority=8}
- [ ] Log in {#login needs=model check="pytest -q"}
  - [ ] Endpoint
  - [ ] Rate limit
- [ ] Lint {run="ruff check ." needs=login}
- [ ] Look at it {kind=approval needs=lint}
"""


def write_tasks(project: Project) -> None:
    project.write(
        {"tasks.md": project.replay('tasks."*".steps = [{write = "made.txt", content = ""}]\n') + TASKS}
    )


def everything(project: Project) -> set[str]:
    return {str(path.relative_to(project.root)) for path in project.root.rglob("*")}


def test_a_dry_run_shows_what_would_run(project: Project) -> None:
    """Order, kind, who, needs, checks, what is done already, and the shape of the whole."""
    write_tasks(project)
    lines = project.run("--task-file", "tasks.md", "--dry-run").stdout.splitlines()
    assert lines[0] == "Accounts: 6 tasks, sequential (from tasks.md)"
    assert "  ✔  Set up (set-up): completed already" in lines
    assert [line.split()[0] for line in lines if line.strip()[:1].isdigit()][:5] == ["1", "2", "3", "4", "5"]
    for told in (
        "agent: replay, workspace-write",
        "command: ruff check .",
        "approval: waits for a person",
        "needs model",
        "check pytest -q",
        "priority 8",
    ):
        assert told in map(str.strip, lines)
    assert "4 levels, at most 2 tasks side by side" in lines
    assert "critical path: model -> endpoint -> lint -> look-at-it" in lines


def test_a_dry_run_leaves_nothing_behind(project: Project) -> None:
    """No task runs and no directory is made, not even ``.aca``."""
    write_tasks(project)
    before = everything(project)
    project.run("--task-file", "tasks.md", "--dry-run")
    assert everything(project) == before


def test_a_plan_that_is_dumped_names_the_schema_that_lies_beside_it(project: Project) -> None:
    """So an editor knows its keys offline. Nothing else is written, the same file makes the same bytes, and
    both spellings are one plan."""
    write_tasks(project)
    (project.root / "plans").mkdir()
    before = everything(project)
    names = ("plan.json", "again.json", "plans/plan.toml")
    for name in names:
        project.run("--task-file", "tasks.md", "--dry-run", "--dump-plan", name)
    ours = {".aca", ".aca/.gitignore", ".aca/plan.schema.json", ".aca/sessions"}
    assert everything(project) - before == {*names, *ours}
    assert project.read("plan.json") == project.read("again.json")
    made, table = json.loads(project.read("plan.json")), project.read("plans/plan.toml")
    assert made.pop("$schema") == "./.aca/plan.schema.json"
    assert table.startswith("#:schema ../.aca/plan.schema.json\n")
    assert tomllib.loads(table) == made
    schema = project.read(".aca/plan.schema.json")
    assert project.run("schema", "plan").stdout == schema
    jsonschema.Draft202012Validator(json.loads(schema)).validate(made)


def test_a_provider_that_is_missing_is_a_warning(project: Project) -> None:
    """The plan can be looked at on a machine that could not run it."""
    project.write({"tasks.md": "---\nprovider: claude-cli\n---\n- [ ] One\n"})
    outcome = project.run("--task-file", "tasks.md", "--dry-run", env={"PATH": str(project.home)})
    assert "One (one)" in outcome.stdout
    assert "warning: " in outcome.stderr
    assert "claude" in outcome.stderr


def test_dump_plan_without_dry_run_writes_and_runs(project: Project) -> None:
    """The plan that ran is kept where it was asked for."""
    write_tasks(project)
    project.write(
        {"tasks.md": project.read("tasks.md").replace("ruff check .", "true").replace("pytest -q", "true")}
    )
    project.run("--task-file", "tasks.md", "--dump-plan", "plan.json", expect=4)
    dumped, kept = (
        json.loads(one.read_text())
        for one in (project.root / "plan.json", project.session().path / "plan.json")
    )
    assert {**dumped, "$schema": ""} == {**kept, "$schema": ""}
    assert (project.root / "made.txt").exists()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("plan.yaml", "a plan is written to .json or .toml"),
        ("plan", "a plan is written to .json or .toml"),
        ("nowhere/plan.json", "the directory nowhere does not exist"),
    ],
)
def test_a_plan_cannot_go_everywhere(project: Project, path: str, told: str) -> None:
    """What cannot be written is refused before anything runs."""
    write_tasks(project)
    assert told in project.run("--task-file", "tasks.md", "--dump-plan", path, expect=2).stderr
    assert not (project.root / ".aca").exists()


def test_a_plan_never_replaces_its_own_source(project: Project) -> None:
    """Not even under another spelling of its path."""
    project.write({"tasks.toml": '[[tasks]]\ntitle = "One"\n'})
    before = project.read("tasks.toml")
    outcome = project.run(
        "--task-file", "tasks.toml", "--dry-run", "--dump-plan", "../work/tasks.toml", expect=2
    )
    assert "is the file the plan is made from" in outcome.stderr
    assert project.read("tasks.toml") == before


def test_a_plan_whose_source_has_changed_is_refused(project: Project) -> None:
    """Drift has an exit code of its own, and can be allowed by name."""
    write_tasks(project)
    project.run("--task-file", "tasks.md", "--dry-run", "--dump-plan", "plan.json")
    project.write({"tasks.md": project.read("tasks.md") + "- [ ] One more\n"})
    outcome = project.run("--execution-plan", "plan.json", "--dry-run", expect=6)
    assert "tasks.md has changed since plan.json was made from it" in outcome.stderr
    allowed = project.run("--execution-plan", "plan.json", "--dry-run", "--allow-drift", "source")
    assert "One more" not in allowed.stdout


@pytest.mark.parametrize("front", ["---\nprovider: claude-cli\n---\n", "---\nprovider: codex-cli\n---\n", ""])
def test_a_dry_run_starts_no_program(project: Project, front: str) -> None:
    """Whether an agent is here is seen without running it, also when one is to be chosen."""
    for name in ("claude", "codex"):
        project.write({f"bin/{name}": "#!/bin/sh\ntouch started\necho 1.0\n"})
        (project.root / "bin" / name).chmod(0o755)
    project.write({"tasks.md": f"{front}- [ ] One\n"})
    env = {"PATH": f"{project.root / 'bin'}:{project.env()['PATH']}"}
    outcome = project.run("--task-file", "tasks.md", "--dry-run", env=env)
    assert "warning" not in outcome.stderr
    assert not (project.root / "started").exists()


def chosen(project: Project, *only: str) -> list[str]:
    """The tasks that ``--only`` leaves in the plan of ``tasks.md``."""
    flags = [word for name in only for word in ("--only", name)]
    tasks = project.run("--task-file", "tasks.md", "--dry-run", "--json", *flags).json["tasks"]
    return [task["id"] for task in tasks if task.get("status", "pending") == "pending"]


def test_only_takes_a_group_whole_where_it_is_needed(project: Project) -> None:
    """A group around a task comes along without its other tasks; one that is needed comes with all."""
    tasks = """\
        - [ ] Group {#group}
          - [ ] In {#in run="true"}
          - [ ] Beside {#beside run="true"}
        - [ ] After {#after run="true" needs=group}
        - [ ] Apart {#apart run="true"}
        """
    project.write({"tasks.md": tasks})
    assert chosen(project, "in") == ["group", "in"]
    assert chosen(project, "after") == ["group", "in", "beside", "after"]
    assert chosen(project, "in", "after") == ["group", "in", "beside", "after"]


def test_only_follows_any_chain_to_its_end(project: Project) -> None:
    """Through groups and needs by turns, thousands of times."""
    steps = 1500
    lines = ['- [ ] G0 {#g0}\n  - [ ] T0 {#t0 run="true"}']
    lines += [
        f'- [ ] G{n} {{#g{n}}}\n  - [ ] T{n} {{#t{n} run="true" needs=g{n - 1}}}' for n in range(1, steps)
    ]
    project.write({"tasks.md": "\n".join(lines) + "\n"})
    assert len(chosen(project, f"t{steps - 1}")) == 2 * steps
