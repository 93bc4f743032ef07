"""A task may ask for an output in a schema: whoever does it, it fits or the attempt fails."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from aca.core import events as ev
from tests.attempts.test_attempts import install_claude
from tests.contracts.models import KINDS, every_kind
from tests.model_server import Failure, ModelServer, Turn, text, tool
from tests.project import Project
from tests.providers.test_model_apis import environment, settings

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"verdict": {"enum": ["good", "bad"]}, "bugs": {"type": "integer"}},
    "required": ["verdict", "bugs"],
    "additionalProperties": False,
}
OPEN = {**SCHEMA, "required": ["verdict"], "properties": {**SCHEMA["properties"], "bugs": {"minimum": 0}}}
"""One that not every vendor can hold a model to."""
GOOD = {"verdict": "good", "bugs": 0}
TASKS = "- [ ] Review it {#review output_schema=review.json retry_delay=1ms}\n"
AND_MORE = TASKS + "- [ ] Fix it {#fix needs=review}\n"


def completed(project: Project, task: str = "review") -> ev.TaskCompleted:
    endings = (event for event in project.journal() if isinstance(event, ev.TaskCompleted))
    return next(event for event in endings if event.task == task)


def failures(project: Project) -> list[str]:
    return [event.reason for event in project.journal() if isinstance(event, ev.TaskFailed)]


def prompt(project: Project, task: str, attempt: int = 1) -> str:
    return (project.session().task_logs / task / f"{attempt}.prompt.md").read_text()


def replayed(project: Project, script: str, tasks: str = TASKS, expect: int = 0) -> None:
    project.write({"review.json": json.dumps(SCHEMA), "tasks.md": project.replay(script) + tasks})
    project.run("--task-file", "tasks.md", expect=expect)


# -- with any provider ------------------------------------------------------------------------------------


def test_an_output_is_kept_shown_and_handed_on(project: Project) -> None:
    """It is asked for in the prompt, in the journal, in `aca show`, and what needs the task is told it."""
    script = """
        [tasks.review]
        steps = [{output = {verdict = "good", bugs = 0}}, {say = "I looked at all of it."}]
        [tasks.fix]
        steps = [{say = "Nothing to fix."}]
        """
    replayed(project, script, AND_MORE)
    assert completed(project).output == GOOD
    assert '"verdict"' in prompt(project, "review")
    assert 'I looked at all of it.\n  Its output: `{"verdict": "good", "bugs": 0}`' in prompt(project, "fix")
    shown = project.run("show", "review", "--json").json
    assert (shown["output"], shown["summary"]) == (GOOD, "I looked at all of it.")
    assert '"verdict": "good"' in project.run("show", "review").stdout
    [review, fix] = project.run("status", "--json").json["tasks"]
    assert (review["output"], fix["output"]) == (GOOD, None)


@pytest.mark.parametrize(
    "said",
    [
        '{"verdict": "good", "bugs": 0}',
        'I found {"a": 1} first.\n\n```json\n{"verdict": "good",\n "bugs": 0}\n```\nThat is all.',
        'It is not {"verdict": "bad", "bugs": 1} but {"verdict": "good", "bugs": 0}, I think {maybe}.',
    ],
)
def test_the_last_object_in_the_answer_is_taken(project: Project, said: str) -> None:
    """Agents put words around what they were asked for; said alone, it is told once to those who need it."""
    script = (
        f"[tasks.review]\nsteps = [{{say = {json.dumps(said)}}}]\n[tasks.fix]\nsteps = [{{say = 'ok'}}]\n"
    )
    replayed(project, script, AND_MORE)
    assert completed(project).output == GOOD
    assert prompt(project, "fix").count('"good"') == 1


def test_who_goes_on_in_the_same_conversation_is_asked_again(project: Project) -> None:
    """Though the same schema was told there before."""
    agent = project.root / "agent"
    agent.write_text(AGENT)
    agent.chmod(0o755)
    declared = f'[providers.mine]\nkind = "cli"\ncommand = ["{agent}", "-c", ["{{conversation}}"]]\n'
    rights = "permissions.workspace-write = []\ntext = {take = 'say'}\nconversation = {take = 'id'}\n"
    again = "- [ ] Once more {#more output_schema=review.json needs=review conversation=review}\n"
    project.write(
        {
            "review.json": json.dumps(SCHEMA),
            "tasks.md": f"# All\n\nIt is Python.\n\n{TASKS}{again}",
            "aca.toml": declared + rights,
        }
    )
    project.run("--task-file", "tasks.md", "--provider", "mine")
    told = (project.session().task_logs / "more" / "1" / "prompt.md").read_text()
    assert "What was said above" in told
    assert "that fits this JSON Schema" in told


def test_an_output_that_does_not_fit_fails_the_attempt_and_is_told_to_the_next(project: Project) -> None:
    """All that is wrong with it, by the place where it is."""
    script = """
        [tasks.review]
        steps = [
          {attempt = 1, output = {verdict = "fine", bugs = "none"}},
          {attempt = 2, say = "All is well."},
          {attempt = 3, output = {verdict = "good", bugs = 0}},
        ]
        """
    replayed(project, script)
    first, second = failures(project)
    assert "verdict: 'fine' is not one of ['good', 'bad']" in first
    assert "bugs: 'none' is not of type 'integer'" in first
    assert "there is no JSON object in the answer" in second
    assert first in prompt(project, "review", 2)


def test_a_task_that_is_to_give_an_output_cannot_be_split(project: Project) -> None:
    """Nobody would give it."""
    replayed(project, '[tasks.review]\nsteps = [{subtasks = [{title = "A"}]}]\n', expect=1)
    assert "it was split, and a task with output_schema gives its output itself" in failures(project)[0]


# -- in a plan --------------------------------------------------------------------------------------------


def test_a_plan_holds_the_schema(project: Project) -> None:
    """What was reviewed is what runs: the file is read when the plan is made, in both spellings of a plan."""
    project.write({"review.json": json.dumps(SCHEMA), "tasks.md": project.replay("[tasks]\n") + TASKS})
    for name in ("plan.json", "plan.toml"):
        project.run("--task-file", "tasks.md", "--dry-run", "--dump-plan", name)
    (project.root / "review.json").unlink()
    for name in ("plan.json", "plan.toml"):
        plan = project.run("--execution-plan", name, "--dry-run", "--json").json
        assert plan["tasks"][0]["output_schema"] == SCHEMA


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (None, 'there is no file "review.json"'),
        ("{", "review.json is not JSON: Expecting property name"),
        ("[]", "review.json is not a JSON Schema: a schema is an object"),
        ('{"type": "array"}', 'the schema needs the type "object" at its top'),
        ('{"type": "object", "properties": {"a": {"type": "strin"}}}', "properties.a.type: 'strin' is not"),
        ('{"type": "object", "properties": {"a": {"pattern": "("}}}', "'(' is not a 'regex'"),
        ('{"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}}', '"#/$defs/b", which is not in it'),
        ('{"type": "object", "$ref": "http://127.0.0.1:9/x"}', '"http://127.0.0.1:9/x", which is not in it'),
    ],
)
def test_a_schema_that_cannot_be_used_is_told_before_anything_runs(
    project: Project, schema: str | None, told: str
) -> None:
    """With the line of the task that names it."""
    front = project.replay("[tasks.review]\nsteps = [{say = 'ok'}]\n")
    project.write({"tasks.md": front + TASKS, **({"review.json": schema} if schema else {})})
    outcome = project.run("--task-file", "tasks.md", expect=2)
    assert told in outcome.stderr
    assert f"tasks.md:{front.count(chr(10)) + 1}:" in outcome.stderr
    assert project.sessions() == []


def test_only_agents_give_outputs(project: Project) -> None:
    """A command has none, and a group is not done by anybody."""
    tasks = (
        '- [ ] C {#c run="true" output_schema=s.json}\n- [ ] G {#g output_schema=s.json}\n  - [ ] P {#p}\n'
    )
    project.write({"s.json": json.dumps(SCHEMA), "tasks.md": tasks})
    outcome = project.run("--task-file", "tasks.md", "--provider", "replay", expect=2)
    assert 'tasks.md:1: task "c" is a command and gives no output' in outcome.stderr
    assert 'tasks.md:2: task "g" is a group and gives no output' in outcome.stderr


# -- models behind APIs -----------------------------------------------------------------------------------


def run_model(
    project: Project, server: ModelServer, kind: str, *turns: Turn, schema: Any = SCHEMA, expect: int = 0
) -> None:
    server.script("work", *turns)
    files = {"review.json": json.dumps(schema), "tasks.md": TASKS, "aca.toml": settings(kind)}
    project.write(files)
    project.run("--task-file", "tasks.md", "--retries", "0", env=environment(server), expect=expect)


def asked_format(body: dict[str, Any]) -> Any:
    """The schema that a call holds the answer to, wherever the vendor wants it."""
    table = body.get("output_config", body.get("text", body))
    known = table.get("response_format", {}).get("json_schema") or table.get("format")
    return known.get("schema", known) if known else None


@every_kind
def test_a_model_is_held_to_the_schema_when_its_work_is_done(
    project: Project, server: ModelServer, kind: str
) -> None:
    """Asked once more, in the vendor's own way, with the tools out of the way; while it works it is free."""
    work: list[Turn] = [[tool("list")], [tool("finish", result="I looked.")]]
    run_model(project, server, kind, *work, [text(json.dumps(GOOD))])
    bodies = [request.body for request in server.requests]
    assert [asked_format(body) for body in bodies] == [None, None, SCHEMA]
    last = bodies[-1]
    assert last.get("tool_choice", "none") in ("none", {"type": "none"})
    assert bool(last.get("tools")) == (kind != "ollama"), "which cannot take both"
    done = completed(project)
    assert (done.output, done.summary) == (GOOD, "I looked.")
    assert done.usage is not None
    assert done.usage.output_tokens == 60


@every_kind
def test_a_model_that_gives_it_by_itself_is_not_asked(
    project: Project, server: ModelServer, kind: str
) -> None:
    """The prompt asks for it; what fits, fits."""
    run_model(project, server, kind, [text(json.dumps(GOOD))])
    assert len(server.requests) == 1
    assert completed(project).output == GOOD


@every_kind
def test_a_model_is_told_what_does_not_fit(project: Project, server: ModelServer, kind: str) -> None:
    """In the same conversation; three answers that do not fit are a failed attempt."""
    bad: Turn = [text('{"verdict": "fine", "bugs": 0}')]
    run_model(project, server, kind, [text("Done.")], bad, [text(json.dumps(GOOD))])
    assert "'fine' is not one of" in str(server.requests[-1].body)
    assert completed(project).output == GOOD


def test_a_model_that_never_fits_fails_the_attempt(project: Project, server: ModelServer) -> None:
    """It is not asked for ever."""
    run_model(project, server, "anthropic", *[[text("Done.")]] * 9, expect=1)
    assert len(server.requests) == 4
    assert "the output does not fit output_schema: there is no JSON object" in failures(project)[0]


@every_kind
def test_a_server_that_refuses_the_schema_is_asked_in_words(
    project: Project, server: ModelServer, kind: str
) -> None:
    """Others that speak a vendor's language know less of it."""
    refused = Failure(400, "invalid_request_error", "unknown field")
    run_model(project, server, kind, [text("Done.")], refused, [text(json.dumps(GOOD))])
    assert [asked_format(request.body) for request in server.requests] == [None, SCHEMA, None]
    assert completed(project).output == GOOD


def test_a_schema_that_a_vendor_cannot_enforce_is_checked_by_aca(
    project: Project, server: ModelServer
) -> None:
    """Anthropic refuses keywords it cannot enforce: there it is asked in words, and checked all the same."""
    turns: list[Turn] = [[text("Done.")], [text('{"verdict": "good", "bugs": -1}')], [text(json.dumps(GOOD))]]
    run_model(project, server, "anthropic", *turns, schema=OPEN)
    assert not any(asked_format(request.body) for request in server.requests)
    assert "-1 is less than the minimum of 0" in str(server.requests[-1].body)


def test_openai_is_strict_only_where_it_can_be(project: Project, server: ModelServer) -> None:
    """It calls a schema with keys that may be left out an error, when it is to be strict."""
    run_model(project, server, "responses", [text("Done.")], [text(json.dumps(GOOD))], schema=OPEN)
    assert server.requests[-1].body["text"]["format"]["strict"] is False


# -- agent CLIs -------------------------------------------------------------------------------------------


def run_claude(project: Project, acts: str, expect: int = 0) -> None:
    project.write({"review.json": json.dumps(SCHEMA)})
    install_claude(project, acts, "output_schema=review.json retries=0")
    project.run("--task-file", "tasks.md", expect=expect)


def test_claude_is_given_the_schema_and_its_output_is_taken(project: Project) -> None:
    """It is apart from its text, which may be empty then."""
    run_claude(project, f"end(result='', structured_output={GOOD!r})")
    [call] = map(json.loads, project.read("calls").splitlines())
    assert json.loads(call[call.index("--json-schema") + 1]) == SCHEMA
    assert completed(project, "work").output == GOOD


def test_claude_without_an_output_has_failed(project: Project) -> None:
    """It says success, and exits with 0."""
    run_claude(project, "end()", expect=1)
    assert failures(project) == ["claude gave no output that fits output_schema"]


AGENT = f"""\
#!{sys.executable}
import json, sys
print(json.dumps({{"say": sys.stdin.read(), "id": "talk"}}))
print(json.dumps({{"say": "Here: " + json.dumps({{"verdict": "good", "bugs": 0}})}}))
"""


@pytest.mark.parametrize(("schema", "is_given"), [(SCHEMA, True), (OPEN, False)])
def test_a_declared_agent_gets_a_file_with_the_schema_if_it_can_keep_to_it(
    project: Project, schema: dict[str, Any], is_given: bool
) -> None:
    """Otherwise the prompt alone asks; either way the last object in its answer counts."""
    agent = project.root / "agent"
    agent.write_text(AGENT)
    agent.chmod(0o755)
    declared = f'[providers.mine]\nkind = "cli"\ncommand = ["{agent}", ["{{output_schema}}"]]\n'
    rights = "permissions.workspace-write = []\ntext = {take = 'say'}\n"
    project.write({"review.json": json.dumps(schema), "tasks.md": TASKS, "aca.toml": declared + rights})
    project.run("--task-file", "tasks.md", "--provider", "mine")
    assert completed(project).output == GOOD
    given = project.session().task_logs / "review" / "1" / "output_schema.json"
    assert given.exists() == is_given
    assert not is_given or json.loads(given.read_text()) == schema


def test_who_can_be_held_to_a_schema_is_told(project: Project) -> None:
    """A declared agent whose command has a place for it, and all that aca knows by itself."""
    project.write({"aca.toml": '[providers.a]\nkind = "cli"\ncommand = ["a"]\ntext = {take = "t"}\n'})
    rows = project.run("providers", "--json").json
    able = {row["name"]: row["capabilities"]["structured_output"] for row in rows}
    assert {name for name, yes in able.items() if not yes} == {"a"}
    assert KINDS.keys() - {"responses", "chat"} <= able.keys()
