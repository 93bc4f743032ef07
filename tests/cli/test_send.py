"""``aca send``: what a person says reaches the agent, while it works or with its next attempt, and once."""

from __future__ import annotations

import pytest

from aca.core import events as ev
from tests.contracts.models import KINDS
from tests.model_server import ModelServer, text, tool
from tests.project import Project, Running
from tests.providers.test_model_apis import environment, settings

ADA = {"USER": "ada", "LOGNAME": "ada"}
WAIT = "touch began; until test -f go; do sleep 0.02; done"
WORDS = "Please write it in blue."
INTRODUCTION = "A person says, while you work on the task:"
every_kind = pytest.mark.parametrize("kind", KINDS)


def at_work(project: Project, server: ModelServer, kind: str) -> Running:
    """An aca whose model is in the middle of a command that waits for the file ``go``."""
    project.write({"tasks.md": "- [ ] Paint {#paint}\n", "aca.toml": settings(kind)})
    running = project.start("--task-file", "tasks.md", env=environment(server))
    running.until((project.root / "began").exists)
    return running


def sent(project: Project, running: Running, words: str = WORDS) -> str:
    """Send it, and wait until the running aca has taken it."""
    outcome = project.run("send", "paint", words, env=ADA)
    running.until(lambda: any(isinstance(event, ev.MessageSent) for event in project.journal()))
    return outcome.stdout


def deliveries(project: Project) -> list[tuple[str, int]]:
    """(what was said, the attempt that was told of it), as the journal has it."""
    events = {event.seq: event for event in project.journal()}
    found = []
    for event in events.values():
        if isinstance(event, ev.MessageDelivered):
            said = events[event.cause]
            assert isinstance(said, ev.MessageSent)
            found.append((said.text, event.attempt))
    return found


# -- to a model behind an API -----------------------------------------------------------------------------


@every_kind
def test_a_model_at_work_is_told_between_two_calls(project: Project, server: ModelServer, kind: str) -> None:
    """Its next call has the words, once; the journal has who said them and that they were heard."""
    server.script("work", [tool("run", command=WAIT)], [text("Blue it is.")])
    running = at_work(project, server, kind)
    assert f"{KINDS[kind].provider} is at work and is told now" in sent(project, running)
    project.write({"go": ""})
    running.finish(expect=0)
    told = str(server.requests[1].body)
    assert (told.count(WORDS), told.count(INTRODUCTION)) == (1, 1)
    assert deliveries(project) == [(WORDS, 1)]
    assert "Please write it in blue. (ada)" in project.run("show", "paint").stdout


@every_kind
def test_a_model_that_would_end_is_told_first(project: Project, server: ModelServer, kind: str) -> None:
    """It said that it was done before it knew: it is asked once more, and its last word counts."""
    last = [tool("run", command=WAIT), tool("finish", result="Red.")]
    server.script("work", last, [tool("run", command="touch blue")], [tool("finish", result="Blue.")])
    running = at_work(project, server, kind)
    sent(project, running)
    project.write({"go": ""})
    running.finish(expect=0)
    assert len(server.requests) == 3
    assert (project.root / "blue").exists()
    assert project.session().state().states["paint"].summary == "Blue."


def test_what_was_said_before_a_kill_is_heard_after_it_and_once(
    project: Project, server: ModelServer
) -> None:
    """Taken by the aca that was killed, delivered in the same conversation by the one that resumes."""
    server.script("work", [tool("run", command=WAIT)], [text("Blue it is.")])
    running = at_work(project, server, "anthropic")
    sent(project, running)
    running.kill()
    project.write({"go": ""})
    assert "(no attempt was told yet)" in project.run("show", "paint").stdout
    project.run("resume", env=environment(server))
    told = str(server.requests[-1].body)
    assert "You were interrupted" in told
    assert told.count(WORDS) == 1
    assert deliveries(project) == [(WORDS, 2)]


def test_what_was_said_while_checks_ran_is_not_passed_over(project: Project, server: ModelServer) -> None:
    """A task is not done while its person has said something that nobody heard."""
    server.script("work", [text("Done.")], [tool("run", command="touch blue")], [text("Blue it is.")])
    tasks = f'- [ ] Paint {{#paint check="{WAIT}"}}\n'
    project.write({"tasks.md": tasks, "aca.toml": settings("anthropic")})
    running = project.start("--task-file", "tasks.md", env=environment(server))
    running.until((project.root / "began").exists)
    sent(project, running)
    project.write({"go": ""})
    running.finish(expect=0)
    assert (project.root / "blue").exists()
    assert deliveries(project) == [(WORDS, 2)]


# -- to those that cannot be told while they work ---------------------------------------------------------

SCRIPT = f"""
[tasks.paint]
steps = [{{run = "{WAIT}", attempt = 1}}, {{say = "Painted."}}]
"""


def test_who_cannot_be_told_while_at_work_goes_on_with_it(project: Project) -> None:
    """The attempt that runs ends; the task goes on with another, whose prompt has the words."""
    project.write({"tasks.md": f"{project.replay(SCRIPT)}- [ ] Paint {{#paint}}\n"})
    running = project.start("--task-file", "tasks.md")
    running.until((project.root / "began").exists)
    told = (
        "its attempt ends first, and another one follows with it; a replay keeps to its script all the same"
    )
    assert f"replay cannot be told while it works: {told}" in sent(project, running)
    project.write({"go": ""})
    outcome = running.finish(expect=0)
    assert deliveries(project) == [(WORDS, 2)]
    logs = project.session().task_logs / "paint"
    assert WORDS not in (logs / "1.prompt.md").read_text()
    assert f"# A person said about this\n\n{WORDS}" in (logs / "2.prompt.md").read_text()
    assert "says: Please write it in blue." in outcome.stderr


def test_what_is_said_between_two_runs_is_in_the_next_prompt(project: Project) -> None:
    """Nobody runs the session: the words wait in its journal, and every later attempt has them."""
    script = '[tasks.paint]\nsteps = [{fail = "no colour", attempt = 1}, {say = "Painted."}]\n'
    tasks = "1. Look {#look kind=approval}\n2. Paint {#paint retries=1}\n"
    project.write({"tasks.md": project.replay(script) + tasks})
    project.run("--task-file", "tasks.md", expect=4)
    told = project.run("send", "Paint", WORDS, env=ADA).stdout
    assert "its agent is told when it works again: aca resume goes on; a replay" in told
    project.run("approve", "look")
    project.run("resume")
    logs = project.session().task_logs / "paint"
    assert [WORDS in (logs / f"{number}.prompt.md").read_text() for number in (1, 2)] == [True, True]
    assert deliveries(project) == [(WORDS, 1)]


def test_a_task_that_stands_in_the_queue_is_told_when_it_starts(project: Project) -> None:
    """It starts once, as it would have, and its first prompt has the words."""
    script = '[tasks.paint]\nsteps = [{say = "Painted."}]\n'
    tasks = f'- [ ] Slow {{#slow run="{WAIT}"}}\n- [ ] Paint {{#paint}}\n'
    project.write({"tasks.md": project.replay(script) + tasks})
    running = project.start("--task-file", "tasks.md")
    running.until((project.root / "began").exists)
    assert sent(project, running).endswith("told when it starts; a replay keeps to its script all the same\n")
    project.write({"go": ""})
    running.finish(expect=0)
    starts = [event.task for event in project.journal() if isinstance(event, ev.TaskStarted)]
    assert starts == ["slow", "paint"]
    assert deliveries(project) == [(WORDS, 1)]


def test_what_was_said_to_a_task_is_told_to_those_it_is_split_into(project: Project) -> None:
    """The words are part of the task, and so of its parts."""
    parts = 'subtasks = [{id = "door", title = "Door"}]'
    script = f"""
    [tasks.paint]
    steps = [{{run = "{WAIT}", attempt = 1}}, {{{parts}, attempt = 2}}, {{say = "Painted."}}]
    [tasks.door]
    steps = [{{say = "Painted."}}]
    """
    project.write({"tasks.md": project.replay(script) + "- [ ] Paint {#paint}\n"})
    running = project.start("--task-file", "tasks.md")
    running.until((project.root / "began").exists)
    sent(project, running)
    project.write({"go": ""})
    running.finish(expect=0)
    assert WORDS in (project.session().task_logs / "door" / "1.prompt.md").read_text()


# -- what cannot be said ----------------------------------------------------------------------------------

PAINTED = '[tasks.paint]\nsteps = [{say = "Painted."}]\n'
GATED = """\
- [ ] Gate {#gate kind=approval}
- [x] Done {#done}
- [ ] House {#house needs=gate}
  - [ ] Paint {#paint}
- [ ] Lint {#lint run="true" needs=gate}
"""


@pytest.mark.parametrize(
    ("task", "words", "told"),
    [
        ("pant", WORDS, 'did you mean "paint"?'),
        ("paint", " ", "there is nothing to say"),
        ("lint", WORDS, '"lint" is of kind command: there is no agent to hear anything'),
        ("house", WORDS, '"house" is a group, which no agent does: send to one of paint'),
        ("done", WORDS, '"done" is completed already'),
    ],
)
def test_what_nobody_would_hear_is_refused(project: Project, task: str, words: str, told: str) -> None:
    """Exit code 2, and nothing is kept."""
    project.write({"tasks.md": project.replay(PAINTED) + GATED})
    project.run("--task-file", "tasks.md", expect=4)
    assert told in project.run("send", task, words, expect=2).stderr
    assert not [event for event in project.journal() if isinstance(event, ev.MessageSent)]


def test_keys_in_what_is_said_are_struck_out(project: Project) -> None:
    """A message is written into the journal, where no key may be."""
    project.write({"tasks.md": project.replay(PAINTED) + GATED})
    project.run("--task-file", "tasks.md", expect=4)
    key = "sk-canary-0123456789"
    project.run("send", "paint", f"use {key}", env={"ANTHROPIC_API_KEY": key})
    assert project.session().state().states["paint"].said[0].text == "use " + "*" * len(key)
