"""The main job with the real claude CLI against a model server on the loopback: run, kill, resume."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aca.core import events as ev
from tests.model_server import Failure, Hang, ModelServer, text, tool
from tests.project import Project
from tests.real_parts import CLAUDES, claude, claude_variables

TASKS = """\
---
provider: claude-cli
providers: {{claude-cli: {{command: [{claude}]}}}}
---
1. Write the greeting {{#greet check="grep -q hello greeting.txt"}}
2. Make it louder {{#louder check="grep -q HELLO greeting.txt"}}
3. Count it {{#count check="test -s count.txt"}}
"""
SCHEMA = {"type": "object", "properties": {"verdict": {"type": "string"}}, "required": ["verdict"]}
ASKING = """\
---
provider: claude-cli
providers: {{claude-cli: {{command: [{claude}]}}}}
---
- [ ] Review it {{#review output_schema=schema.json}}
"""
every_version = pytest.mark.parametrize("version", CLAUDES)


def environment(server: ModelServer) -> dict[str, str]:
    return claude_variables(server.url("work"), retries=1)


def is_written_down(project: Project, title: str) -> bool:
    """Whether claude has kept of the task that it used a tool: it goes on from what is in its files."""
    kept = (path.read_text() for path in (project.home / ".claude/projects").rglob("*.jsonl"))
    return any(f"# Your task: {title}" in text and '"tool_result"' in text for text in kept)


@every_version
def test_a_file_of_three_tasks_is_killed_in_the_middle_and_resumed(
    project: Project, server: ModelServer, version: str
) -> None:
    """Task one is done and stays done; task two goes on in the same conversation; all three are verified."""
    greeting = str(project.root / "greeting.txt")
    # The first that fits plays: later tasks are told the titles of those before them.
    count = tool("Write", file_path=str(project.root / "count.txt"), content="6\n")
    server.script("work", [count], [text("Counted.")], when="Count it")
    server.script(
        "work",
        [tool("Read", file_path=greeting)],
        Hang(),
        [tool("Read", file_path=greeting)],
        [tool("Edit", file_path=greeting, old_string="hello", new_string="HELLO")],
        [text("Louder now.")],
        when="Make it louder",
    )
    server.script(
        "work",
        [tool("Write", file_path=greeting, content="hello\n")],
        [text("Written.")],
        when="Write the greeting",
    )
    project.write({"tasks.md": TASKS.format(claude=claude(version))})
    running = project.start("--task-file", "tasks.md", env=environment(server))
    running.until(lambda: len(server.requests) == 4 and is_written_down(project, "Make it louder"))
    running.kill()
    assert Path(greeting).read_text() == "hello\n"

    outcome = project.run("resume", env=environment(server))

    assert Path(greeting).read_text() == "HELLO\n"
    assert "3 completed" in outcome.stdout
    starts = [event.task for event in project.journal() if isinstance(event, ev.TaskStarted)]
    assert starts == ["greet", "louder", "louder", "count"]
    conversations = {
        event.conversation
        for event in project.journal()
        if isinstance(event, ev.ConversationStarted) and event.task == "louder"
    }
    assert len(conversations) == 1
    assert project.processes() == []


@every_version
def test_denied_tools_block_the_task_and_name_the_cure(
    project: Project, server: ModelServer, version: str
) -> None:
    """The CLI exits 0 and says success; aca says blocked, exit code 4, and what would allow it."""
    command = "python3 -c 'print(1)' > out.txt"
    server.script("work", [tool("Bash", command=command, description="make it")], [text("All done!")])
    project.write({"tasks.md": TASKS.format(claude=claude(version))})
    project.run("--task-file", "tasks.md", "--only", "greet", env=environment(server), expect=4)
    now = project.session().state().states["greet"]
    assert now.status == "blocked"
    assert "Bash" in now.reason
    assert "permissions" in now.reason
    assert not (project.root / "out.txt").exists()


def test_an_output_in_a_schema(project: Project, server: ModelServer) -> None:
    """Claude has a tool of its own for it; what it hands in there is the task's output."""
    project.write({"schema.json": json.dumps(SCHEMA), "tasks.md": ASKING.format(claude=claude())})
    server.script("work", [tool("StructuredOutput", verdict="good")], [text("Reviewed.")])
    project.run("--task-file", "tasks.md", env=environment(server))
    assert project.session().state().states["review"].output == {"verdict": "good"}


def test_an_output_that_is_never_given(project: Project, server: ModelServer) -> None:
    """The CLI exits 0 and says success; aca says failed."""
    project.write({"schema.json": json.dumps(SCHEMA), "tasks.md": ASKING.format(claude=claude())})
    server.script("work", [text("Reviewed.")])
    project.run("--task-file", "tasks.md", "--retries", "0", env=environment(server), expect=1)
    assert "gave no output" in project.session().state().states["review"].reason


def test_a_conversation_that_grew_too_long_goes_on_in_a_new_one(
    project: Project, server: ModelServer
) -> None:
    """Told what was done in the old one; the task is completed in one attempt."""
    greeting = str(project.root / "greeting.txt")
    too_long = Failure(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")
    server.script("work", [tool("Edit", file_path=greeting, old_string="a", new_string="hello")],
                  [text("Written.")], when="Where you stand")  # fmt: skip
    write = [text("I write an a first."), tool("Write", file_path=greeting, content="a\n")]
    server.script("work", write, *[too_long] * 9)
    project.write({"tasks.md": TASKS.format(claude=claude())})
    project.run("--task-file", "tasks.md", "--only", "greet", env=environment(server))
    now = project.session().state().states["greet"]
    assert (now.status, now.attempts) == ("completed", 1)
    told = server.requests[-1].first_words
    assert "greeting.txt (created)" in told
    assert "I write an a first." in told
