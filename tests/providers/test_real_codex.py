"""The main job with the real codex CLI against a model server on the loopback: run, kill, resume."""

from __future__ import annotations

import json

from aca.core import events as ev
from tests.model_server import Failure, Hang, ModelServer, text, tool
from tests.project import Project
from tests.real_parts import codex, codex_environment

TASKS = """\
---
provider: codex-cli
providers: {{codex-cli: {{command: [{codex}]}}}}
---
1. Write the greeting {{#greet check="grep -q hello greeting.txt"}}
2. Make it louder {{#louder check="grep -q HELLO greeting.txt"}}
3. Count it {{#count check="test -s count.txt"}}
"""


def test_a_file_of_three_tasks_is_killed_in_the_middle_and_resumed(project: Project) -> None:
    """Task one is done and stays done; task two goes on in the same thread; all three are verified."""
    with ModelServer() as server:
        # The first that fits plays: later tasks are told the titles of those before them.
        server.script("work", [tool("exec_command", cmd="wc greeting.txt > count.txt")],
                      [text("Counted.")], when="Count it")  # fmt: skip
        server.script("work", [tool("exec_command", cmd="cat greeting.txt")], Hang(),
                      [tool("exec_command", cmd="sed -i s/hello/HELLO/ greeting.txt")],
                      [text("Louder now.")], when="Make it louder")  # fmt: skip
        server.script("work", [tool("exec_command", cmd="echo hello > greeting.txt")],
                      [text("Written.")], when="Write the greeting")  # fmt: skip
        env = codex_environment(project.home, server.url("work"))
        project.write({"tasks.md": TASKS.format(codex=codex())})
        running = project.start("--task-file", "tasks.md", env=env)
        running.until(lambda: len(server.requests) == 4)
        running.kill()
        assert project.read("greeting.txt") == "hello\n"

        outcome = project.run("resume", env=env)

    assert project.read("greeting.txt") == "HELLO\n"
    assert "3 completed" in outcome.stdout
    starts = [event.task for event in project.journal() if isinstance(event, ev.TaskStarted)]
    assert starts == ["greet", "louder", "louder", "count"]
    threads = [event.conversation for event in project.journal()
               if isinstance(event, ev.ConversationStarted) and event.task == "louder"]  # fmt: skip
    assert len(set(threads)) == 1
    assert project.processes() == []


def test_what_the_sandbox_forbids_is_not_done(project: Project) -> None:
    """Codex says that all went well and exits 0; the check says what is true."""
    with ModelServer() as server:
        command = "echo hello > greeting.txt"
        server.script("work", *([tool("exec_command", cmd=command)], [text("All done!")]) * 3)
        env = codex_environment(project.home, server.url("work"))
        project.write(
            {"tasks.md": TASKS.format(codex=codex()).replace("{#greet", "{#greet permissions=read-only")}
        )
        project.run("--task-file", "tasks.md", "--only", "greet", env=env, expect=1)
    now = project.session().state().states["greet"]
    assert now.status == "failed"
    assert not (project.root / "greeting.txt").exists()


def test_an_output_in_a_schema(project: Project) -> None:
    """Codex is given the schema and holds the model to it; its last message is the output."""
    schema = {"type": "object", "properties": {"verdict": {"type": "string"}}, "required": ["verdict"],
              "additionalProperties": False}  # fmt: skip
    task = TASKS.partition("1.")[0] + "- [ ] Review it {{#review output_schema=schema.json}}\n"
    project.write({"schema.json": json.dumps(schema), "tasks.md": task.format(codex=codex())})
    with ModelServer() as server:
        server.script("work", [text('{"verdict": "good"}')])
        project.run("--task-file", "tasks.md", env=codex_environment(project.home, server.url("work")))
        assert server.requests[-1].body["text"]["format"]["schema"] == schema
    assert project.session().state().states["review"].output == {"verdict": "good"}


def test_a_conversation_that_grew_too_long_goes_on_in_a_new_one(project: Project) -> None:
    """Told what was done in the old one; the task is completed in one attempt."""
    too_long = Failure(400, "context_length_exceeded", "Your input exceeds the context window of this model.")
    with ModelServer() as server:
        server.script("work", [tool("exec_command", cmd="echo hello >> greeting.txt")],
                      [text("Written.")], when="Where you stand")  # fmt: skip
        server.script("work", [tool("exec_command", cmd="echo a > greeting.txt")], *[too_long] * 9)
        project.write({"tasks.md": TASKS.format(codex=codex())})
        env = codex_environment(project.home, server.url("work"))
        project.run("--task-file", "tasks.md", "--only", "greet", env=env)
        told = server.requests[-1].first_words
    now = project.session().state().states["greet"]
    assert (now.status, now.attempts) == ("completed", 1)
    assert "echo a > greeting.txt" in told
