"""All lies of the contract's fake agents, from the command line: none is believed, nothing is left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.contracts import cli_agents
from tests.contracts.agents import FAKED, PRELUDE
from tests.contracts.models import KEY
from tests.project import Project

TRUE = {"edit", "write", "leave", "noise", "not text", "odd", "huge", "drip", "lingers", "two results",
        "asks", "garbled", "free", "exit 1 when done", "told", "forgets",
        "hang", "deaf", "waits"}  # fmt: skip
"""Scenes that end well, or only after a long while."""
LEAKS = f"""
say(type="item.completed", event="say", words="{KEY}", item={{"type": "agent_message", "text": "{KEY}"}})
print(os.environ, flush=True); print("{KEY}", file=sys.stderr, flush=True)
"""
"""A scene in which the key is told in every way there is."""
KINDS = {
    "claude-cli": (PRELUDE, FAKED, "end(is_error=True, result=os.environ['ANTHROPIC_API_KEY'])"),
    "codex-cli": (
        f"{cli_agents.START}{cli_agents.CODEX}",
        cli_agents.PLAYED,
        "fail(os.environ['ANTHROPIC_API_KEY'])",
    ),
    "mine": (
        f"{cli_agents.START}{cli_agents.DECLARED}",
        cli_agents.PLAYED,
        "fail(os.environ['ANTHROPIC_API_KEY'])",
    ),
}


def liar(project: Project, kind: str) -> list[str]:
    """Make *kind* a program that plays the scene a task is named after; the names of all lies."""
    words, scenes, leak = KINDS[kind]
    lies = {name: scene for name, scene in scenes.items() if name not in TRUE}
    lies["leaks"] = LEAKS + leak
    program = project.root / "agent"
    play = f"exec(next(scene for name, scene in {lies!r}.items() if f'Your task: {{name}}\\n' in prompt))"
    program.write_text(f"{words}\n{play}\n")
    program.chmod(0o755)
    section = {"command": [str(program)], "idle_timeout": "1s"}
    if kind == "mine":
        section = {**cli_agents.DECLARATION, **section}
    plan = {
        "format_version": 1,
        "defaults": {"provider": kind, "retries": 0},
        "providers": {kind: section},
        "execution_mode": "parallel",
        "max_concurrent_tasks": 3,
        "tasks": [{"id": f"t{number}", "title": name} for number, name in enumerate(lies)],
    }
    project.write({"plan.json": json.dumps(plan)})
    return list(lies)


@pytest.mark.parametrize("kind", KINDS)
def test_no_lie_is_believed_and_nothing_is_left(project: Project, kind: str) -> None:
    """No task is completed, no process lives on, and the key that a program was given is in no file."""
    lies = liar(project, kind)
    arguments = ["--execution-plan", "plan.json", "--record", "record.toml"]
    outcome = project.run(*arguments, env={"ANTHROPIC_API_KEY": KEY}, expect=None)
    states = project.session().state().states.values()
    assert [name for name, now in zip(lies, states, strict=True) if now.status == "completed"] == []
    assert outcome.code in (1, 4)
    assert project.processes() == []
    assert _files_with(KEY, project.root) == []
    assert KEY not in outcome.stdout + outcome.stderr


def _files_with(words: str, folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != "agent")
    return [path for path in found if words.encode() in path.read_bytes()]


def test_work_for_no_token_is_of_unknown_cost(project: Project) -> None:
    """A success that says it used nothing is not free of charge."""
    program = project.root / "agent"
    program.write_text(f"{PRELUDE}{FAKED['free']}\n")
    program.chmod(0o755)
    settings = f'provider = "claude-cli"\n[providers.claude-cli]\ncommand = ["{program}"]\n'
    project.write({"aca.toml": settings, "tasks.md": "- [ ] One {#one}\n"})
    outcome = project.run("--task-file", "tasks.md")
    assert project.session().state().states["one"].usage is None
    assert "cost unknown" in outcome.stdout
