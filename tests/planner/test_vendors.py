"""Every vendor is asked for a plan in its own way: once its answer fits, once it never does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aca.planner.draft import schema
from aca.plans import output
from tests.attempts.test_structured_output import asked_format
from tests.contracts.models import KEY, every_kind
from tests.model_server import Failure, ModelServer, Turn, text, tool
from tests.planner.answers import draft, task
from tests.project import Outcome, Project
from tests.providers.test_model_apis import environment, settings
from tests.real_parts import claude

GOOD = draft(task("greet", (1, 1)), task("louder", (2, 2), dependencies=["greet"]))
BAD = json.dumps({**GOOD, "tasks": [{"id": "greet"}]})
TOLD = (
    *("    2 | Make it [louder]", "Twice as loud.", "two people", "- src/: hello.py"),
    *("All about greetings.", "Be French."),
)
NOTES = "Write a greeting.\nMake it [louder](how.md).\n"


def plan(project: Project, env: dict[str, str], *args: str, expect: int = 0) -> Outcome:
    project.write({"notes.md": NOTES, "how.md": "Twice as loud.\n"})
    asked = ("--task-file", "notes.md", "--use-intelligent-parser", "--dry-run", "--json")
    return project.run(*asked, *args, env=env, expect=expect)


def needs(outcome: Outcome) -> dict[str, Any]:
    return {one["id"]: one.get("dependencies", []) for one in outcome.json["tasks"]}


@every_kind
def test_a_model_is_held_to_the_draft(project: Project, server: ModelServer, kind: str) -> None:
    """One that answers in words first is asked in its vendor's own way, and strictly.

    It is told the text, what it links to, hints, files and what these begin with; no key is in it.
    """
    server.script("work", [text("Here is what I would do.")], [text(json.dumps(GOOD))])
    project.write(
        {
            "aca.toml": settings(kind),
            "README.md": f"All about greetings. {KEY}\n",
            ".env": "PASSWORD=hunter2\n",
            "src/hello.py": "",
        }
    )
    outcome = plan(
        project, environment(server), "--context", "two people", "--append-system-prompt", "Be French."
    )
    assert needs(outcome) == {"greet": [], "louder": ["greet"]}
    assert asked_format(server.requests[-1].body) == schema()
    told = str(server.requests[0].body)
    assert [piece for piece in TOLD if piece not in told] == []
    assert ".env" not in told
    assert KEY not in told


def test_one_call_makes_a_plan(project: Project, server: ModelServer) -> None:
    """Where the model gives it at once."""
    server.script("work", [text(json.dumps(GOOD))])
    project.write({"aca.toml": settings("anthropic")})
    outcome = plan(project, environment(server))
    assert len(server.requests) == 1
    assert "planned by anthropic, claude-opus-5-5: 120 tokens" in outcome.stderr


def test_every_vendor_can_be_held_to_the_draft() -> None:
    """Strictly: OpenAI is told so then, and Anthropic is given the schema at all."""
    assert output.is_enforced(schema())


@every_kind
def test_a_model_that_never_keeps_to_it_is_refused(project: Project, server: ModelServer, kind: str) -> None:
    """After it was told why, by its provider; the answer is kept."""
    server.script("work", *[[text(BAD)]] * 20)
    project.write({"aca.toml": settings(kind)})
    outcome = plan(project, environment(server), expect=2)
    assert "tasks.0: 'title' is a required property" in outcome.stderr
    assert "kept in" in outcome.stderr
    assert len(server.requests) == 4


def test_a_plan_that_cannot_be_is_mended(project: Project, server: ModelServer) -> None:
    """What fits the schema may be wrong all the same: the model is told what, and its own answer."""
    wrong = draft(task("greet", (1, 1), dependencies=["lowder"]), task("louder", (2, 2)))
    server.script("work", [text(json.dumps(wrong))], [text(json.dumps(GOOD))])
    project.write({"aca.toml": settings("anthropic")})
    assert needs(plan(project, environment(server)))["louder"] == ["greet"]
    assert len(server.requests) == 2
    told = server.requests[1].first_words
    assert "lowder" in told
    assert "did you mean" in told


def test_the_real_claude(project: Project, server: ModelServer) -> None:
    """It has a tool of its own for what it is asked for, and no other call is made."""
    server.script("work", [tool("StructuredOutput", **GOOD)], [text("Planned.")])
    assert needs(plan(project, real(project, server)))["louder"] == ["greet"]
    assert "Twice as loud." in server.requests[0].first_words


def test_the_real_claude_that_gives_no_output(project: Project, server: ModelServer) -> None:
    """It exits 0 and says success; it is asked once more, and refused then."""
    server.script("work", *[[text("I would rather not.")]] * 20)
    outcome = plan(project, real(project, server), expect=2)
    assert "claude gave no output" in outcome.stderr
    assert project.processes() == []


def real(project: Project, server: ModelServer) -> dict[str, str]:
    """The environment in which the newest real claude talks to *server*; *project* is set to use it."""
    program = claude()
    project.write({"aca.toml": f'provider = "claude-cli"\n[providers.claude-cli]\ncommand = "{program}"\n'})
    calm = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "CLAUDE_CODE_MAX_RETRIES": "0"}
    return {**environment(server), **calm}


@pytest.mark.parametrize(
    ("turn", "code", "told"),
    [
        (Failure(401, "authentication_error", "no such key"), 7, "no such key"),
        (Failure(429, "rate_limit_error", "later", {"retry-after": "7200"}), 75, "later"),
    ],
)
def test_no_answer_is_no_plan(
    project: Project, server: ModelServer, turn: Turn, code: int, told: str
) -> None:
    """The exit code says what to do about it."""
    server.script("work", *[turn] * 5)
    project.write({"aca.toml": settings("anthropic")})
    outcome = plan(project, environment(server), expect=code)
    assert "no plan was made: " in outcome.stderr
    assert told in outcome.stderr


def test_no_call_is_made_that_the_cost_limit_does_not_allow(project: Project, server: ModelServer) -> None:
    """The call is reserved for as any other is."""
    project.write({"aca.toml": settings("anthropic")})
    outcome = plan(
        project, environment(server), "--max-cost", "0.0001", "--model", "claude-sonnet-4-5", expect=5
    )
    assert "no plan was made: " in outcome.stderr
    assert server.requests == []
