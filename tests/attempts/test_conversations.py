"""Tasks that share one conversation with their model, from the command line."""

from __future__ import annotations

import pytest

from aca.core import events as ev
from tests.contracts.models import KINDS
from tests.model_server import Failure, Hang, ModelServer, text, tool
from tests.project import Project
from tests.providers.test_model_apis import environment, settings
from tests.real_parts import claude

RULES = "Every greeting is polite, and nobody is left out of it."
TASKS = f"""\
---
description: {RULES}
max_concurrent_tasks: 3
---
- [ ] Greetings {{#greetings}}
  - [ ] Write the greeting {{#write conversation=parent}} -> notes.md
  - [ ] Make it louder {{#louder conversation=parent}} -> notes.md
- [ ] Review the greeting {{#review needs=greetings}}
"""
WHO = "\n".join(f"- person number {number}" for number in range(40))


def conversations(project: Project) -> dict[str, str]:
    """The conversation that each task was last in."""
    begun = (event for event in project.journal() if isinstance(event, ev.ConversationStarted))
    return {event.task: event.conversation for event in begun}


@pytest.mark.parametrize("kind", KINDS)
def test_tasks_of_a_group_talk_in_one_conversation(project: Project, server: ModelServer, kind: str) -> None:
    """The second one is asked where the first one ended, and is not told again what was said there."""
    server.script("work", [text("Reviewed.")], when="Review the greeting\n")
    server.script(
        "work", [tool("write", path="a.txt", content="hello\n")], [text("Written.")], [text("Louder.")]
    )
    project.write({"tasks.md": TASKS, "notes.md": WHO, "aca.toml": settings(kind)})
    project.run("--task-file", "tasks.md", env=environment(server))
    talks = conversations(project)
    assert talks["write"] == talks["louder"] != talks["review"]
    asked = str(server.requests[2].body)
    assert "Make it louder" in asked
    assert "Written." in asked, "it stands below what the first task said"
    assert asked.count("person number 39") == 1
    assert asked.count(RULES) == 1
    prompt = (project.session().task_logs / "louder" / "1.prompt.md").read_text()
    assert "person number 39" in prompt, "the prompt is kept whole: a new conversation would need all of it"


def test_a_task_goes_on_in_the_conversation_of_another(project: Project, server: ModelServer) -> None:
    """By its id; and a third one goes on from there."""
    server.script("work", [text("One.")], [text("Two.")], [text("Three.")])
    tasks = "1. First {#first}\n2. Second {#second needs=first conversation=first}\n"
    tasks += "3. Third {#third needs=second conversation=second}\n"
    project.write({"tasks.md": tasks, "aca.toml": settings("anthropic")})
    project.run("--task-file", "tasks.md", env=environment(server))
    assert len(set(conversations(project).values())) == 1
    assert len(server.requests[2].body["messages"]) == 5


def test_tasks_of_a_role_share_one_by_default(project: Project, server: ModelServer) -> None:
    """What the plan says for all holds for those that have a role; the others talk alone."""
    server.script("work", *[[text("Done.")]] * 3)
    tasks = "- One {#one role=writer}\n- Two {#two}\n- Three {#three role=writer}\n"
    role = '[roles.writer]\nsystem_prompt = "You write."\n[defaults]\nconversation = "role"\n'
    project.write({"tasks.md": tasks, "aca.toml": settings("anthropic") + role})
    project.run("--task-file", "tasks.md", "-j", "3", env=environment(server))
    talks = conversations(project)
    assert talks["one"] == talks["three"] != talks["two"]


def test_a_shared_conversation_survives_a_kill(project: Project, server: ModelServer) -> None:
    """Killed in the second task, that one goes on in the conversation that the first one began."""
    server.script("work", [text("Written.")], Hang(), [text("Louder.")], [text("Reviewed.")])
    project.write({"tasks.md": TASKS, "notes.md": "-\n", "aca.toml": settings("anthropic")})
    running = project.start("--task-file", "tasks.md", env=environment(server))
    running.until(lambda: len(server.requests) == 2)
    running.kill()
    project.run("resume", env=environment(server))
    asked = server.requests[2].body["messages"]
    assert [message["role"] for message in asked] == ["user", "assistant", "user", "user"]
    talks = conversations(project)
    assert talks["write"] == talks["louder"]


def test_a_failed_attempt_does_not_answer_for_the_next_task(project: Project, server: ModelServer) -> None:
    """What the first task finished is no proof that the second one has."""
    finish = [tool("finish", result="Written.")]
    server.script("work", finish, Failure(400, "invalid_request_error", "no"), [text("Reviewed.")])
    project.write({"tasks.md": TASKS, "notes.md": "-\n", "aca.toml": settings("anthropic")})
    project.run("--task-file", "tasks.md", env=environment(server), expect=1)
    assert project.session().state().states["louder"].status == "failed"


def test_the_real_claude_takes_both_tasks_in_one_conversation(project: Project, server: ModelServer) -> None:
    """It is resumed for the second task, and says nothing of an interruption."""
    server.script("work", [text("Written.")], [text("Louder.")], [text("Reviewed.")])
    options = f'provider = "claude-cli"\n[providers.claude-cli]\ncommand = ["{claude()}"]\n'
    project.write({"tasks.md": TASKS, "notes.md": WHO, "aca.toml": options})
    quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "CLAUDE_CODE_MAX_RETRIES": "1"}
    project.run("--task-file", "tasks.md", env={**environment(server), **quiet})
    talks = conversations(project)
    assert talks["write"] == talks["louder"] != talks["review"]
    asked = str(server.requests[1].body["messages"])
    assert "Written." in asked
    assert "interrupted" not in asked
    assert asked.count("person number 39") == 1


@pytest.mark.parametrize(
    ("attributes", "message", "cure"),
    [
        ("conversation=parent", 'task "two" has no parent to share a conversation with', "give it a parent"),
        ("conversation=role", 'task "two" has no role to share a conversation with', "give it a role"),
        ("conversation=one", 'in the conversation of "one", which it does not need', 'let it need "one"'),
        ("conversation=on", 'in the conversation of "on", which it does not need', 'did you mean "one"?'),
    ],
)
def test_a_conversation_with_nobody_is_refused(
    project: Project, attributes: str, message: str, cure: str
) -> None:
    """Exit code 2, with the line and what would be right."""
    project.write({"tasks.md": f"- One {{#one}}\n- Two {{#two {attributes}}}\n"})
    outcome = project.run("--task-file", "tasks.md", "--dry-run", expect=2)
    assert f"tasks.md:2: {message}" in outcome.stderr.replace('task "two" cannot go on ', "")
    assert cure in outcome.stderr
