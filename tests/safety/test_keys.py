"""Keys of model providers: where they are found, and who does not get them."""

from __future__ import annotations

import json

import pytest

from aca.safety.secrets import VARIABLES
from tests.contracts.models import KEY, KINDS, every_kind
from tests.model_server import ModelServer, text, tool
from tests.project import Project
from tests.providers.test_model_apis import settings

TASK = "- [ ] Look {#look}\n"


def environment(server: ModelServer) -> dict[str, str]:
    """Where the model is, and no key."""
    url = server.url("work")
    return {"ANTHROPIC_BASE_URL": url, "OPENAI_BASE_URL": url, "OLLAMA_HOST": url}


def keyring(project: Project, backend: str = "Drawer") -> dict[str, str]:
    """A keyring (``tests/drawer.py``) with a key in it."""
    project.write({"key": KEY})
    return {"PYTHON_KEYRING_BACKEND": f"tests.drawer.{backend}"}


# -- the keyring ------------------------------------------------------------------------------------------


@every_kind
def test_a_key_is_taken_from_the_keyring(project: Project, server: ModelServer, kind: str) -> None:
    """Where the environment has none; it is struck out of what a command prints, and is in no file."""
    server.script("work", [tool("run", command="cat key")], [text("Done.")])
    project.write({"tasks.md": TASK, "aca.toml": settings(kind)})
    project.run("--task-file", "tasks.md", env={**environment(server), **keyring(project)})
    assert all(KEY in request.headers["authorization"] for request in server.requests)
    assert f"aca {KINDS[kind].key}" in project.read("asked")
    assert (project.session().task_logs / "look" / "1" / "run-1.log").read_text().strip() == "*" * len(KEY)
    kept = [path for path in project.session().path.rglob("*") if path.is_file()]
    assert [path for path in kept if KEY.encode() in path.read_bytes()] == []


def test_a_key_in_the_keyring_has_an_account_of_its_own(project: Project, server: ModelServer) -> None:
    """The same as where it is in the environment, and another one than without a key."""
    server.script("work", [text("Done.")])
    project.write({"tasks.md": TASK, "aca.toml": settings("anthropic")})
    accounts = []
    for key in (keyring(project), {"ANTHROPIC_API_KEY": KEY}):
        server.script("work", [text("Done.")])
        project.run("--task-file", "tasks.md", env={**environment(server), **key})
        known = json.loads((project.sessions()[-1].path / "anthropic" / "rate_limit_state.json").read_text())
        accounts.append(known["account"])
    assert accounts[0] == accounts[1]
    assert "#" in accounts[0]


def test_the_environment_comes_first(project: Project, server: ModelServer) -> None:
    """The keyring is not even asked."""
    server.script("work", [text("Done.")])
    project.write({"tasks.md": TASK, "aca.toml": settings("anthropic")})
    env = {**environment(server), **keyring(project), "ANTHROPIC_API_KEY": "another-key-123"}
    project.run("--task-file", "tasks.md", env=env)
    assert "another-key-123" in server.requests[0].headers["authorization"]
    assert not (project.root / "asked").exists()


def test_the_keyring_is_shown_as_the_place_of_a_key(project: Project) -> None:
    """And makes its provider the one that is here."""
    env = keyring(project) | {"PATH": "/usr/bin:/bin"}
    [row] = [one for one in project.run("providers", "--json", env=env).json if one["name"] == "anthropic"]
    assert (row["ok"], row["default"]) == (True, True)
    assert row["detail"] == "ANTHROPIC_API_KEY is in the keyring"


@pytest.mark.parametrize("backend", ["Broken", "Missing"])
def test_a_keyring_that_does_not_work_is_no_key(project: Project, server: ModelServer, backend: str) -> None:
    """Exit code 2, and how to put one there."""
    project.write({"tasks.md": TASK, "aca.toml": settings("anthropic")})
    env = {**environment(server), **keyring(project, backend)}
    outcome = project.run("--task-file", "tasks.md", env=env, expect=2)
    assert "ANTHROPIC_API_KEY is not set" in outcome.stderr
    assert "`keyring set aca ANTHROPIC_API_KEY`" in outcome.stderr


# -- who does not get them --------------------------------------------------------------------------------


def seen(project: Project, attributes: str, front: str = "") -> list[str]:
    """Which keys a command and its check find in their environment."""
    look = "env | grep -o '^[A-Z]*_API_KEY' | sort | tr '\\n' ' '"
    task = f'- [ ] Look {{#look run="{look} > command" check="{look} > check" {attributes}}}\n'
    project.write({"tasks.md": front + task})
    project.run("--task-file", "tasks.md", env={one.key: KEY for one in KINDS.values()} | {"MY_API_KEY": "x"})
    return [project.read(name).strip() for name in ("command", "check")]


def test_commands_and_checks_do_not_get_keys_of_providers(project: Project) -> None:
    """All else in the environment they get."""
    assert seen(project, "") == ["MY_API_KEY"] * 2


@pytest.mark.parametrize(
    ("attributes", "front"),
    [
        ("pass_env=OPENAI_API_KEY", ""),
        ("", "---\npass_env: OPENAI_API_KEY\n---\n"),
        ("env.OPENAI_API_KEY=of-the-task", ""),
    ],
)
def test_what_the_plan_names_they_get(project: Project, attributes: str, front: str) -> None:
    """In the task, for all tasks, or as a variable of the task."""
    assert seen(project, attributes, front) == ["MY_API_KEY OPENAI_API_KEY"] * 2


def test_the_checks_of_an_agent_do_not_get_its_key(project: Project) -> None:
    """The agent's own program does: it needs it."""
    agent = "#!/bin/sh\ncat > /dev/null\nprintenv OPENAI_API_KEY > agent\necho done\n"
    project.write({"agent.sh": agent, "tasks.md": '- [ ] Look {#look check="! printenv OPENAI_API_KEY"}\n'})
    declared = '[providers.mine]\nkind = "cli"\noutput = "text"\ncommand = ["sh", "agent.sh"]\n'
    project.write({"aca.toml": declared + "permissions.workspace-write = []\n"})
    project.run("--task-file", "tasks.md", "--provider", "mine", env={"OPENAI_API_KEY": KEY})
    assert project.read("agent").strip() == KEY


@pytest.mark.parametrize(
    "name", ["CLAUDE_CODE_OAUTH_TOKEN", "CODEX_API_KEY", "GEMINI_API_KEY", "ODD_ACCESS_KEY"]
)
def test_the_keys_of_agents_stay_out_of_commands_and_files(project: Project, name: str) -> None:
    """Those aca knows, and those that a declared agent says it needs; also after ``kill -9``."""
    agent = f"#!/bin/sh\ncat > /dev/null\necho my key is ${name}\ntouch busy\ntest -e again || sleep 60\n"
    project.write({"agent.sh": agent, "tasks.md": f'- [ ] Look {{#look check="! printenv {name}"}}\n'})
    declared = '[providers.mine]\nkind = "cli"\noutput = "text"\ncommand = ["sh", "agent.sh"]\n'
    needs = "" if name in VARIABLES else f'needs_env = ["{name}"]\n'
    project.write({"aca.toml": f"{declared}{needs}permissions.workspace-write = []\n"})
    running = project.start("--task-file", "tasks.md", "--provider", "mine", env={name: "of-an-agent-123"})
    running.until(lambda: (project.root / "busy").exists())
    running.kill()
    project.write({"again": ""})
    project.run("resume", env={name: "of-an-agent-123"})
    kept = [path.read_bytes() for path in (project.root / ".aca").rglob("*") if path.is_file()]
    assert not any(b"of-an-agent-123" in one for one in kept)
    assert any(b"my key is ***" in one for one in kept)


def test_the_tool_of_a_model_gets_what_the_plan_names(project: Project, server: ModelServer) -> None:
    """And no other key."""
    names = [tool("run", command="env | grep -o '^[A-Z]*_API_KEY' | sort | tr '\\n' ' ' > found")]
    server.script("work", names, [text("Done.")])
    project.write({"tasks.md": "- [ ] Look {#look pass_env=OLLAMA_API_KEY}\n", "aca.toml": settings("chat")})
    keys = {one.key: KEY for one in KINDS.values()}
    project.run("--task-file", "tasks.md", env={**environment(server), **keys})
    assert project.read("found").strip() == "OLLAMA_API_KEY"
