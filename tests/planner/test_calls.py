"""Who is called for a plan and where it is found, what it can reach, and what is refused of its answer."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from aca.planner import cache, draft
from aca.planner.repository import look
from tests.planner import answers
from tests.planner.answers import task
from tests.project import Outcome, Project
from tests.real_parts import sandbox

AGENT = """\
#!/bin/sh
cat > /dev/null
for place in . "$HOME" "{root}"; do echo x > "$place/harm"; done 2> /dev/null
cat <<'END'
{answer}
END
"""
DECLARED = """\
provider = "mine"
[providers.mine]
kind = "cli"
command = {command}
output = "text"
permissions = {{read-only = [], workspace-write = [], full = []}}
"""
TOML = """\
[[tasks.planner.steps]]
[tasks.planner.steps.output]
name = "NAME"
execution_mode = "sequential"
remarks = []
[[tasks.planner.steps.output.tasks]]
id = "greet"
title = "Greet"
kind = "agent"
description = ""
priority = 5
estimated_complexity = 1
dependencies = []
touches = []
file_refs = []
checks = []
tags = []
source = [{first = 1, last = 1}]
[tasks."*"]
steps = [{say = "done"}]
"""


def plan(project: Project, *args: str, env: dict[str, str] | None = None, expect: int = 0) -> Outcome:
    project.write({"notes.md": "Write a greeting.\n"})
    asked = ("--task-file", "notes.md", "--use-intelligent-parser", "--dry-run")
    return project.run(*asked, *args, env=env, expect=expect)


def agent(project: Project, command: str) -> None:
    """A program in the workspace that answers, and heeds no permissions at all."""
    answer = json.dumps(answers.draft(task("greet", (1, 1))))
    project.write(
        {
            "tools/plan": AGENT.format(root=project.root, answer=answer),
            "aca.toml": DECLARED.format(command=command),
        }
    )
    (project.root / "tools" / "plan").chmod(0o755)


@pytest.mark.parametrize("command", ['["./tools/plan"]', '["sh", "tools/plan"]'], ids=["program", "argument"])
def test_a_program_of_the_workspace_plans_and_changes_nothing(project: Project, command: str) -> None:
    """Named as for tasks, though it is called from elsewhere; no file is its to write, wherever it is."""
    sandbox()
    agent(project, command)
    assert "Do greet (greet)" in plan(project).stdout
    assert list(project.root.parent.rglob("harm")) == []


def test_a_program_is_looked_for_where_it_will_be_started(project: Project) -> None:
    """In the workspace, wherever aca is called."""
    agent(project, '["./tools/plan"]')
    project.write({"w/notes.md": "Write a greeting.\n"})
    for name in ("aca.toml", "tools"):
        (project.root / name).rename(project.root / "w" / name)
    asked = ("--task-file", "w/notes.md", "--use-intelligent-parser", "--dry-run")
    assert "Do greet (greet)" in project.run("--workspace", "w", *asked).stdout


def test_nobody_is_asked_without_the_sandbox_that_is_required(project: Project) -> None:
    """Not even for a plan that nobody runs."""
    agent(project, '["./tools/plan"]')
    (project.home / "bin").mkdir()
    (project.home / "bin" / "sh").symlink_to("/bin/sh")
    env = {"PATH": str(project.home / "bin")}
    outcome = plan(project, "--sandbox", "require", env=env, expect=2)
    assert "a sandbox is required, and bubblewrap is not installed" in outcome.stderr
    assert "planning with" not in outcome.stderr


def test_a_script_in_toml_can_answer(project: Project) -> None:
    """It has no null: what may be null may be left out. Changed, it is asked again."""
    project.write({"aca.toml": answers.SETTINGS.replace("jsonl", "toml")})
    for name in ("One", "Two"):
        project.write({"answers.toml": TOML.replace("NAME", name)})
        assert plan(project).stdout.startswith(f"{name}: 1 task")


def test_what_may_not_be_null_has_to_be_said() -> None:
    """And what is no object is for the schema to refuse."""
    given = draft.completed({"tasks": [{"id": "a"}, "b"], "name": "N"})
    assert given == {"tasks": [{"id": "a", "parent": None, "role": None, "command": None}, "b"], "name": "N"}
    assert draft.completed({"tasks": "a"}) == {"tasks": "a"}
    assert draft.completed(None) is None


def test_a_task_without_id_or_title_is_refused(project: Project) -> None:
    """The model is told, nothing of aca breaks, and what was paid for no plan is told."""
    answers.say(project, answers.draft(task("", (1, 1))), answers.draft(task("a", (1, 1), title="")))
    outcome = plan(project, expect=2)
    assert 'task "a": title should not be empty' in outcome.stderr
    assert "used for nothing: 2,400 tokens, $0.04" in outcome.stderr
    refused = outcome.stderr.split("kept in ")[1].splitlines()[0]
    assert '"title": ""' in (project.root / refused).read_text()


def test_a_cache_that_cannot_be_is_told_with_its_variable(project: Project) -> None:
    """There the question is written down; a relative path is none, as XDG has it."""
    answers.say(project, answers.draft(task("a", (1, 1))))
    outcome = plan(project, env={"XDG_CACHE_HOME": os.devnull}, expect=7)
    assert f"a planner needs {os.devnull}/aca/planner/calls: Not a directory" in outcome.stderr
    assert "XDG_CACHE_HOME may name another directory" in outcome.stderr
    environ = {"XDG_CACHE_HOME": "here", "HOME": "/home/ann"}
    assert cache.folder(environ) == Path("/home/ann/.cache/aca/planner")


def test_no_link_leads_a_map_away(tmp_path: Path) -> None:
    """To what is elsewhere, or holds secrets: of such a file neither name nor beginning is told."""
    root = tmp_path / "root"
    root.mkdir()
    for path in (tmp_path / "elsewhere", root / ".env", root / "guide.md"):
        path.write_text(f"words of {path.name}")
    links = {"README": "../elsewhere", "Makefile": ".env", "README.md": "guide.md"}
    for name, target in links.items():
        (root / name).symlink_to(target)
    found = look(root)
    assert found.files == ("README.md", "guide.md")
    assert "words of guide.md" in found.map()
