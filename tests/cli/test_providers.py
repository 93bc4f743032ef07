"""``aca providers``, and who does agent tasks where nobody says who should."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

from aca import providers
from aca.providers.about import BUILT_IN
from tests.contracts.cli_agents import DECLARED, START
from tests.model_server import Failure, ModelServer, text
from tests.project import Project

TASKS = "- [ ] Say something\n"
DECLARED_TOML = """\
provider = "mine"
[providers.mine]
kind = "cli"
command = ["{program}", ["--resume", "{{conversation}}"]]
permissions = {{read-only = ["--careful"], workspace-write = []}}
needs_env = "MINE_KEY"
conversation = {{when = {{event = "begin"}}, take = "id"}}
text = {{when = {{event = "say"}}, take = "words"}}
done = {{when = {{event = "end", ok = true}}}}
"""


def on_path(project: Project, **programs: str) -> dict[str, str]:
    """An environment in which just these programs are found, and git."""
    folder = project.home / "bin"
    folder.mkdir(exist_ok=True)
    (folder / "git").symlink_to(str(shutil.which("git")))
    for name, code in programs.items():
        (folder / name).write_text(f"#!{sys.executable} -S\n{code}")
        (folder / name).chmod(0o755)
    return {"PATH": str(folder), "OLLAMA_HOST": "http://127.0.0.1:1"}


CLAUDE = "print('9.9.9 (Claude Code)')"


# -- the choice -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("programs", "keys", "chosen"),
    [
        ({"claude": CLAUDE}, {"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k"}, "claude-cli"),
        ({}, {"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k"}, "anthropic"),
        ({}, {"OPENAI_API_KEY": "k"}, "openai"),
    ],
)
def test_the_first_provider_that_is_here_is_chosen(
    project: Project, programs: dict[str, str], keys: dict[str, str], chosen: str
) -> None:
    """It is told on stderr and written into the plan; `aca config` says why it is that one."""
    env = {**on_path(project, **programs), **keys}
    project.write({"tasks.md": TASKS})
    outcome = project.run("--task-file", "tasks.md", "--dry-run", "--json", env=env)
    assert outcome.json["defaults"]["provider"] == chosen
    assert f"agent tasks are for {chosen} (" in outcome.stderr
    [row] = [
        one for one in project.run("config", "--json", env=env).json if one["setting"] == "defaults.provider"
    ]
    assert row["value"] == chosen
    assert row["origin"].startswith("found here: ")


def test_a_local_ollama_is_chosen_last(project: Project) -> None:
    """It needs no key, only to answer."""
    with ModelServer() as server:
        env = {**on_path(project), "OLLAMA_HOST": server.url("local")}
        project.write({"tasks.md": TASKS})
        plan = project.run("--task-file", "tasks.md", "--dry-run", "--json", env=env).json
    assert plan["defaults"]["provider"] == "ollama"


def test_without_any_provider_nothing_runs(project: Project) -> None:
    """Exit code 2 with three ways to get one and a way to try aca without; a dry run only warns."""
    env = on_path(project)
    project.write({"tasks.md": TASKS})
    outcome = project.run("--task-file", "tasks.md", env=env, expect=2)
    for way in (
        "npm install -g",
        "set ANTHROPIC_API_KEY",
        "set OPENAI_API_KEY",
        "- [ ] Test it {run=pytest}",
    ):
        assert way in outcome.stderr
    assert project.sessions() == []
    dry = project.run("--task-file", "tasks.md", "--dry-run", "--json", env=env)
    assert "warning: no provider is" in dry.stderr
    assert dry.json["defaults"].get("provider") is None


def test_a_plan_of_commands_needs_no_provider(project: Project) -> None:
    """None is looked for, and none is written into it."""
    project.write({"tasks.md": '- [ ] One {run="true"}\n'})
    outcome = project.run("--task-file", "tasks.md", env=on_path(project, claude=CLAUDE))
    assert "claude" not in outcome.stderr
    assert json.loads((project.session().path / "plan.json").read_text())["defaults"].get("provider") is None


def test_a_provider_that_is_named_is_kept(project: Project) -> None:
    """Also where another one is here: the choice is for those who have not chosen."""
    project.write({"tasks.md": f"---\nprovider: openai\n---\n{TASKS}"})
    env = {**on_path(project, claude=CLAUDE), "OPENAI_API_KEY": "k"}
    outcome = project.run("--task-file", "tasks.md", "--dry-run", "--json", env=env)
    assert outcome.json["defaults"]["provider"] == "openai"
    assert "agent tasks are for" not in outcome.stderr


# -- declared providers -----------------------------------------------------------------------------------


def declare(project: Project, scene: str = "said('ready'); end()") -> dict[str, str]:
    """An agent CLI of the project's own, declared in aca.toml; the environment it needs."""
    path = project.home / "agent"
    path.write_text(f"{START}{DECLARED}{scene}\n")
    path.chmod(0o755)
    project.write({"aca.toml": DECLARED_TOML.format(program=path), "tasks.md": TASKS})
    return {**on_path(project), "MINE_KEY": "x"}


def test_a_declared_cli_does_a_task(project: Project) -> None:
    """As any provider; the plan that ran has its declaration, so that a resume knows it too."""
    env = declare(project)
    project.run("--task-file", "tasks.md", env=env)
    one = project.session()
    assert one.state().states["say-something"].summary == "ready"
    assert one.plan.providers["mine"]["kind"] == "cli"
    assert (one.path / "mine" / "messages.json").exists()


def test_a_mistake_in_a_declaration_is_told_with_its_line(project: Project) -> None:
    """Each with what was meant, before anything has run."""
    declare(project)
    project.write({"aca.toml": project.read("aca.toml").replace("needs_env", "needs_evn")})
    told = project.run("--task-file", "tasks.md", expect=2).stderr
    assert 'aca.toml:6: providers.mine: unknown key "needs_evn"' in told
    assert 'did you mean "needs_env"?' in told


def test_a_declared_provider_is_offered_for_a_misspelt_one(project: Project) -> None:
    """It counts among those there are."""
    env = declare(project)
    told = project.run("--task-file", "tasks.md", "--provider", "mien", env=env, expect=2).stderr
    assert 'did you mean "mine"?' in told


def test_a_declared_provider_cannot_have_any_name(project: Project) -> None:
    """Its name is one of a directory in the session."""
    declare(project)
    project.write({"aca.toml": project.read("aca.toml").replace("mine", "inbox")})
    told = project.run("--task-file", "tasks.md", expect=2).stderr
    assert '"inbox" cannot be the name of a provider' in told


# -- the command ------------------------------------------------------------------------------------------


def test_every_provider_is_listed(project: Project) -> None:
    """Declared ones too: whether it is here, how to get it, what it can and how it signs in."""
    env = declare(project)
    rows = {row["name"]: row for row in project.run("providers", "--json", env=env).json}
    assert rows.keys() == {*providers.KINDS, "mine"}
    assert rows["mine"]["default"]
    assert (rows["mine"]["ok"], rows["mine"]["detail"]) == (True, "agent 1.2.3")
    assert rows["mine"]["authenticates"] == "MINE_KEY"
    assert [name for name, able in rows["mine"]["capabilities"].items() if able] == [
        "streaming", "resume", "tool_gate"
    ]  # fmt: skip
    assert not rows["codex-cli"]["ok"]
    told = project.run("providers", env=env).stdout
    assert "here    mine: agent 1.2.3   (does the tasks that name nobody)" in told
    assert "absent  codex-cli: codex is not on the PATH\n         install it with `npm install" in told
    assert "can: streaming, resume, tool gate\n         signs in with: MINE_KEY" in told


def test_a_variable_that_is_missing_is_told(project: Project) -> None:
    """What the program needs is looked for before it is started."""
    env = {**declare(project), "MINE_KEY": ""}
    assert "absent  mine: MINE_KEY not set" in project.run("providers", env=env).stdout
    assert "MINE_KEY" in project.run("--task-file", "tasks.md", env=env, expect=2).stderr


def test_check_asks_each_that_is_here(project: Project) -> None:
    """One call each, with the least rights; nothing is left in the project."""
    env = declare(project, "said(' '.join(sys.argv[1:]) + ' ' + prompt[-5:]); end()")
    with ModelServer() as server:
        server.script("check", [text("ready, too")])
        keys = {"ANTHROPIC_API_KEY": "k" * 20, "ANTHROPIC_BASE_URL": server.url("check")}
        told = project.run("providers", "--check", env={**env, **keys}).stdout
    assert "s): --careful ready\n" in told
    assert "s): ready, too\n" in told
    assert not (project.root / ".aca").exists()


def test_check_says_why_there_is_no_answer(project: Project) -> None:
    """Exit code 1, with the reason; the others are asked all the same."""
    env = declare(project)
    with ModelServer() as server:
        server.script("check", *[Failure(401, "authentication_error", "bad key")] * 9)
        keys = {"ANTHROPIC_API_KEY": "k" * 20, "ANTHROPIC_BASE_URL": server.url("check")}
        keys |= {"CLAUDE_CODE_MAX_RETRIES": "0"}
        rows = project.run("providers", "--check", "--json", env={**env, **keys}, expect=1).json
    answers = {row["name"]: row["answer"] for row in rows if "answer" in row}
    assert answers.keys() - {"claude-sdk"} == {"anthropic", "mine"}
    assert [name for name, answer in answers.items() if answer["ok"]] == ["mine"]
    assert "bad key" in answers["anthropic"]["told"]


# -- what providers can -----------------------------------------------------------------------------------


def test_every_built_in_provider_says_what_it_can() -> None:
    """The table has one row for each."""
    assert BUILT_IN.keys() == providers.KINDS.keys()


@pytest.mark.parametrize("name", providers.KINDS)
def test_a_turn_limit_can_be_set_where_there_is_one(name: str) -> None:
    """The capability and the option go together."""
    assert BUILT_IN[name].can.turn_limit == ("max_turns" in providers.model(name).model_fields)
