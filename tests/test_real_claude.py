"""The main job with the real claude CLI against a model server on the loopback: run, kill, resume."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aca import events as ev
from tests.model_server import Hang, ModelServer, text, tool
from tests.project import Project
from tests.real_parts import CLAUDES, claude

TASKS = """\
---
provider: claude-cli
providers: {{claude-cli: {{command: [{claude}]}}}}
---
1. Write the greeting {{#greet check="grep -q hello greeting.txt"}}
2. Make it louder {{#louder check="grep -q HELLO greeting.txt"}}
3. Count it {{#count check="test -s count.txt"}}
"""
every_version = pytest.mark.parametrize("version", CLAUDES)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as one:
        yield one


def environment(server: ModelServer) -> dict[str, str]:
    return {
        "ANTHROPIC_API_KEY": "sk-ant-dummy",
        "ANTHROPIC_BASE_URL": server.url("work"),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": "1",
    }


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
    running.until(lambda: len(server.requests) == 4)
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
