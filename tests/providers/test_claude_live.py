"""A live conversation with the claude of the SDK, from the command line: told, cancelled, killed, resumed."""

from __future__ import annotations

import json

import pytest

from aca.core import events as ev
from tests.cli.test_send import ADA, WAIT, WORDS, deliveries, sent
from tests.model_server import Drip, Hang, ModelServer, text, tool
from tests.project import Project, Running
from tests.real_parts import claude_sdk, claude_variables

TASKS = """\
---
provider: claude-sdk
providers: {claude-sdk: {allowed_tools: [Bash]}}
---
- [ ] Paint {#paint}
"""


@pytest.fixture(autouse=True)
def sdk() -> None:
    """Without Claude's SDK none of this can be tried."""
    claude_sdk()


def environment(server: ModelServer) -> dict[str, str]:
    return claude_variables(server.url("work"))


def start(project: Project, server: ModelServer) -> Running:
    project.write({"tasks.md": TASKS})
    return project.start("--task-file", "tasks.md", env=environment(server))


def told(server: ModelServer, number: int = -1) -> str:
    return str(server.requests[number].body["messages"])


def test_claude_is_told_in_the_middle_of_its_work(project: Project, server: ModelServer) -> None:
    """While a command runs: the model's next call has the words, once, and the journal says so."""
    server.script("work", [tool("Bash", command=WAIT, description="wait")], [text("Blue it is.")])
    running = start(project, server)
    running.until((project.root / "began").exists)
    assert "claude-sdk is at work and is told now" in sent(project, running)
    project.write({"go": ""})
    running.finish(expect=0)
    assert len(server.requests) == 2
    assert told(server).count(WORDS) == 1
    assert deliveries(project) == [(WORDS, 1)]
    assert project.processes() == []


def test_claude_is_told_before_it_ends(project: Project, server: ModelServer) -> None:
    """While its last words come: it is asked once more in the same conversation, and that is the result."""
    server.script("work", Drip([text("Red.")], 0.3), [text("Blue it is.")])
    running = start(project, server)
    server.wait_for(1)
    sent(project, running)
    running.finish(expect=0)
    assert "Red." in told(server)
    assert told(server).count(WORDS) == 1
    assert project.session().state().states["paint"].summary == "Blue it is."
    assert project.session().state().states["paint"].attempts == 1


def test_what_claude_was_told_is_in_the_conversation_that_goes_on(
    project: Project, server: ModelServer
) -> None:
    """Killed after it heard: the same conversation is resumed, nothing is delivered a second time."""
    server.script("work", [tool("Bash", command=WAIT, description="wait")], Hang(), [text("Blue it is.")])
    running = start(project, server)
    running.until((project.root / "began").exists)
    sent(project, running)
    project.write({"go": ""})
    running.until(lambda: deliveries(project) and len(server.requests) == 2)
    running.kill()
    project.run("resume", env=environment(server))
    assert "You were interrupted" in told(server)
    assert deliveries(project) == [(WORDS, 1)]
    conversations = {one.conversation for one in project.journal() if isinstance(one, ev.ConversationStarted)}
    assert len(conversations) == 1
    assert project.processes() == []


def test_cancelled_claude_leaves_nothing(project: Project, server: ModelServer) -> None:
    """Neither the program nor the command it runs, which is in a process group of its own."""
    server.script("work", [tool("Bash", command=WAIT, description="wait")])
    running = start(project, server)
    running.until((project.root / "began").exists)
    project.run("cancel", "paint", env=ADA)
    running.finish(expect=1)
    assert project.session().state().states["paint"].reason == "cancelled by ada"
    assert project.processes() == []


def test_a_tool_that_nobody_allowed_is_denied_and_told_why(project: Project, server: ModelServer) -> None:
    """The agent hears that the permissions do not allow it; the task waits for a person."""
    command = tool("Bash", command="python3 -c 1 > out.txt", description="make it")
    server.script("work", [command], [text("I could not.")])
    project.write({"tasks.md": TASKS.replace("{allowed_tools: [Bash]}", "{}")})
    project.run("--task-file", "tasks.md", env=environment(server), expect=4)
    assert "Do without it, or say in the end what was not possible." in told(server)
    reason = project.session().state().states["paint"].reason
    assert 'providers.claude-sdk.allowed_tools = ["Bash"]' in reason


def test_a_long_prompt_reaches_claude(project: Project, server: ModelServer) -> None:
    """More than a pipe holds."""
    server.script("work", [text("Read.")])
    project.write({"long.txt": "word " * 50_000, "tasks.md": TASKS + "  -> long.txt\n"})
    project.run("--task-file", "tasks.md", env=environment(server))
    assert told(server).count("word ") >= 50_000


def test_it_gives_an_output_in_a_schema(project: Project, server: ModelServer) -> None:
    """As the claude CLI does, whose options it shares."""
    schema = {"type": "object", "properties": {"verdict": {"type": "string"}}, "required": ["verdict"]}
    tasks = TASKS.replace("{#paint}", "{#paint output_schema=schema.json}")
    project.write({"schema.json": json.dumps(schema), "tasks.md": tasks})
    server.script("work", [tool("StructuredOutput", verdict="good")], [text("Painted.")])
    project.run("--task-file", "tasks.md", env=environment(server))
    assert project.session().state().states["paint"].output == {"verdict": "good"}
