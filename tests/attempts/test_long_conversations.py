"""A conversation that grew too long for its model goes on in a new one, the same way for every provider."""

from __future__ import annotations

from aca.attempts import recap
from aca.core import events as ev
from aca.core.events import FileChange
from aca.providers.base import Changed, Said, Used
from tests.attempts.test_attempts import install_claude
from tests.contracts.models import every_kind
from tests.model_server import Failure, ModelServer, Turn, text, tool
from tests.project import Project
from tests.providers.test_model_apis import environment, settings

TASKS = '- [ ] Write it {#write check="grep -q two a.txt" retries=0}\n'
TOO_LONG = Failure(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")


def run(project: Project, server: ModelServer, kind: str = "anthropic", expect: int = 0) -> None:
    project.write({"tasks.md": TASKS, "aca.toml": settings(kind)})
    project.run("--task-file", "tasks.md", env=environment(server), expect=expect)


def conversations(project: Project) -> list[str]:
    return [event.conversation for event in project.journal() if isinstance(event, ev.ConversationStarted)]


@every_kind
def test_the_task_is_completed_in_the_same_attempt(project: Project, server: ModelServer, kind: str) -> None:
    """The new conversation has the task and what was done, and not the old messages; usage adds up."""
    rest = [tool("edit", path="a.txt", old="one", new="two")]
    server.script("work", rest, [text("Written.")], when="Where you stand")
    begun = [text("I begin with one."), tool("write", path="a.txt", content="one\n")]
    server.script("work", begun, [tool("run", command="false")], TOO_LONG)
    run(project, server, kind)
    [done] = [event for event in project.journal() if isinstance(event, ev.TaskCompleted)]
    assert (done.attempt, done.summary) == (1, "Written.")
    assert done.usage is not None
    assert done.usage.output_tokens == 80, "two calls before, two after"
    assert len(set(conversations(project))) == 2
    told = server.requests[3].first_words
    for part in ("Your task: Write it", "a.txt (created)", "run false: exit code 1", "I begin with one."):
        assert part in told
    logs = project.session().task_logs / "write"
    assert (logs / "1.prompt-2.md").read_text().startswith((logs / "1.prompt.md").read_text().rstrip())
    assert recap.GREW in (logs / "1.jsonl").read_text()


def test_it_can_be_recorded_and_played_again(project: Project, server: ModelServer) -> None:
    """The end of the old conversation is not that of the attempt."""
    finish = [tool("write", path="a.txt", content="two\n"), tool("finish", result="Written.")]
    server.script("work", finish, when="Where you stand")
    server.script("work", [tool("note", text="Mind the gap.")], TOO_LONG)
    project.write({"tasks.md": TASKS, "aca.toml": settings("anthropic")})
    project.run("--task-file", "tasks.md", "--record", "record.toml", env=environment(server))
    (project.root / "a.txt").unlink()
    project.write({"aca.toml": 'provider = "replay"\nproviders.replay.script = "record.toml"\n'})
    project.run("--task-file", "tasks.md")
    [done] = [event for event in project.journal() if isinstance(event, ev.TaskCompleted)]
    assert (done.attempt, done.summary) == (1, "Written.")
    assert project.sessions()[-1].state().states["write"].notes == ("Mind the gap.",)


def test_it_is_rebuilt_twice_and_no_more(project: Project, server: ModelServer) -> None:
    """A task that overflows every conversation is too much, and says what to do."""
    turns: list[Turn] = [[tool("list")], TOO_LONG]
    server.script("work", *turns * 9)
    run(project, server, expect=1)
    assert len(server.requests) == 6
    assert len(set(conversations(project))) == 3
    [failed] = [event for event in project.journal() if isinstance(event, ev.TaskFailed)]
    assert "prompt is too long" in failed.reason
    assert "split the task into smaller ones" in failed.reason


def test_a_prompt_that_is_too_long_by_itself_is_not_sent_again(project: Project, server: ModelServer) -> None:
    """Nothing was done that could be left out."""
    server.script("work", *[TOO_LONG] * 9)
    run(project, server, expect=1)
    assert len(server.requests) == 1


@every_kind
def test_a_conversation_of_others_may_be_too_long_already(
    project: Project, server: ModelServer, kind: str
) -> None:
    """Then the task begins a new one, with nothing left out of its prompt and no talk of earlier work."""
    server.script("work", [text("Looked.")], TOO_LONG, when="Your task: Look")
    server.script("work", [tool("write", path="a.txt", content="two\n")], [text("Written.")])
    tasks = f"# All\n\nIt is Python.\n\n- [ ] Look {{#look}}\n{TASKS}".replace(
        "{#write", "{#write needs=look"
    )
    tasks = tasks.replace("{#write", "{#write conversation=look")
    project.write({"tasks.md": tasks, "aca.toml": settings(kind)})
    project.run("--task-file", "tasks.md", env=environment(server))
    assert "Looked." in str(server.requests[1].body)
    told = server.requests[2].first_words
    assert "It is Python." in told
    assert "Where you stand" not in told
    assert "Your task: Look" not in told


def test_after_a_kill_the_newest_conversation_goes_on(project: Project, server: ModelServer) -> None:
    """The one that was rebuilt, with what was said in it."""
    slow = [tool("run", command="touch here; sleep 60")]
    finish = [tool("write", path="a.txt", content="two\n"), tool("finish", result="Written.")]
    server.script("work", [tool("list")], slow, finish, when="Where you stand")
    server.script("work", [tool("list")], TOO_LONG)
    project.write({"tasks.md": TASKS, "aca.toml": settings("anthropic")})
    running = project.start("--task-file", "tasks.md", env=environment(server))
    running.until((project.root / "here").exists)
    running.kill()
    project.run("resume", env=environment(server))
    assert len(server.requests) == 5
    told = str(server.requests[-1].body)
    assert "Where you stand" in told
    assert "You were interrupted" in told
    assert len(set(conversations(project))) == 2


def test_an_agent_cli_goes_on_in_a_new_conversation(project: Project) -> None:
    """What claude says of it is an error like any other, and its price is counted once for each."""
    acts = """
prompt = sys.stdin.read()
if "Where you stand" in prompt:
    open("prompt", "w").write(prompt)
    end(total_cost_usd=0.5)
else:
    block = {"type": "tool_use", "id": "1", "name": "Bash", "input": {"command": "make all"}}
    say(type="assistant", message={"content": [block]})
    say(type="assistant", message={"content": [{"type": "text", "text": "Prompt is too long"}]})
    end(is_error=True, result="Prompt is too long", api_error_status=400, total_cost_usd=0.25)
"""
    install_claude(project, acts, "retries=0")
    project.run("--task-file", "tasks.md")
    assert "- Bash make all" in project.read("prompt")
    [done] = [event for event in project.journal() if isinstance(event, ev.TaskCompleted)]
    assert done.usage is not None
    assert done.usage.cost_usd == 0.75


# -- what is told of the old conversation -----------------------------------------------------------------


def test_a_recap_is_short_however_long_the_work_was() -> None:
    """The newest is kept, and what is left out is counted."""
    one = recap.Recap()
    for number in range(5000):
        one.note(Said(f"word {number} " * 50))
        one.note(Used("run", f"command {number} " * 50))
        one.note(Changed(FileChange(f"file-{number}")))
    told = one.prompt("The task.")
    assert told.startswith("The task.")
    assert len(told) < 60_000
    assert "command 4999" in told
    assert "word 4999" in told
    assert "(and 4900 more)" in told


def test_what_went_wrong_with_a_tool_is_told_once() -> None:
    """Some tools are told as they begin and again when they failed, others only when they end."""
    one = recap.Recap()
    for step in (Used("run", "make"), Used("edit", "a"), Used("run", "make", "exit code 2"), Used("list")):
        one.note(step)
    one.note(Used("shell", "ls", "exit code 1"))
    assert one.uses == 4
    assert "- edit a\n- run make: exit code 2\n- list\n- shell ls: exit code 1" in one.prompt("")
