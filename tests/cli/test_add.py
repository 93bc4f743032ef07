"""``aca add``: a session gets one more task, from a person, while it runs or when it does not."""

from __future__ import annotations

import json

import pytest

from aca.core import events as ev
from aca.sessions.messages import Addition
from tests.project import Project

ADA = {"USER": "ada", "LOGNAME": "ada"}
TASKS = """\
- [ ] Site {#site}
  - [ ] Build {#build run="touch began; until test -f go; do sleep 0.02; done"}
- [ ] Ship {#ship needs=site run="true"}
"""
SCRIPT = 'tasks."*".steps = [{write = "made.txt", content = "made"}]\n'


@pytest.fixture
def waiting(project: Project) -> Project:
    """A session that waits for an approval, and is not running."""
    front = project.replay(SCRIPT)
    project.write({"tasks.md": front + "- [ ] Look {#look kind=approval}\n- [x] Old {#old run=true}\n"})
    project.run("run", "tasks.md", expect=4)
    return project


def test_a_running_session_takes_a_task_up(project: Project) -> None:
    """Its group is done with it, and what needs the group waits; everybody can see who added it."""
    project.write({"tasks.md": project.replay(SCRIPT) + TASKS})
    running = project.start("run", "tasks.md")
    running.until((project.root / "began").exists)
    more = ("--under", "Site", "--needs", "build", "--check", "test -f made.txt", "--priority", "high")
    told = project.run("add", "Write the notes", "--description", "In blue.", *more, env=ADA).stdout
    assert told.startswith("write-the-notes is added to session ")
    running.until(lambda: any(isinstance(event, ev.TasksAdded) for event in project.journal()))
    project.write({"go": ""})
    assert "ada adds Write the notes (write-the-notes)" in running.finish(expect=0).stderr
    started = [event.task for event in project.journal() if isinstance(event, ev.TaskStarted)]
    assert started == ["build", "write-the-notes", "ship"]
    [row] = [line for line in project.run("show").stdout.splitlines() if "(write-the-notes)" in line]
    assert row.endswith("added by ada")
    shown = project.run("show", "write-the-notes", "--json").json
    assert (shown["origin"], shown["task"]["priority"]) == ("added by ada", 7)
    prompt = project.session().task_logs / "write-the-notes" / "1.prompt.md"
    assert "In blue." in prompt.read_text()


def test_a_session_that_does_not_run_does_it_when_it_goes_on(waiting: Project) -> None:
    """Twice the same title makes two tasks; a fork from before knows nothing of them."""
    before = len(waiting.journal())
    for name in ("lint", "lint-2"):
        told = waiting.run("add", "Lint", "--run", "touch linted", env=ADA).stdout
        assert told == f"{name} is added to session {waiting.session().id}: aca resume does it\n"
    waiting.run("resume", expect=4)
    assert (waiting.root / "linted").exists()
    picture = json.loads((waiting.session().path / "meta/session.json").read_text())
    assert {one["id"]: one["status"] for one in picture["tasks"]} == {
        "look": "blocked", "old": "completed", "lint": "completed", "lint-2": "completed",
    }  # fmt: skip
    waiting.run("resume", f"{waiting.session().id}:{before}", expect=4)
    assert "Lint" not in waiting.run("show").stdout


def test_a_finished_session_has_something_to_do_again(project: Project) -> None:
    """What is needed may be done already."""
    project.write({"tasks.md": "- [ ] One {#one run=true}\n"})
    project.run("run", "tasks.md")
    project.run("add", "Two", "--run", "touch two", "--needs", "one")
    assert "(2 completed)" in project.run("resume").stdout
    assert (project.root / "two").exists()


def test_what_has_an_id_is_added_once(waiting: Project) -> None:
    """However often it is said, before the session has read it, after that, and by whoever was killed and
    cannot know; something else with that id is refused."""
    lint = ("add", "Lint", "--run", "touch linted", "--needs", "old", "--id", "lint")
    task = {
        "id": "lint",
        "title": "Lint",
        "kind": "command",
        "command": "touch linted",
        "dependencies": ["old"],
    }
    waiting.session().send(Addition(task, "ada", keeps_id=True))
    name = waiting.session().id
    assert waiting.run(*lint).stdout == f"lint is added to session {name}: aca resume does it\n"
    assert waiting.run(*lint).stdout == f"lint is in session {name} already\n"
    assert [type(event) for event in waiting.journal()].count(ev.TasksAdded) == 1
    waiting.session().send(Addition({**task, "title": "Other"}, "ada", keeps_id=True))
    waiting.run("resume", expect=4)
    [refused] = [event for event in waiting.journal() if isinstance(event, ev.AdditionRefused)]
    assert refused.reason == '"lint" is another task already'


WRONG = [
    (["More", "--under", "look"], '"look" is no group that a task could be part of'),
    (["More", "--under", "nothing"], 'has no task "nothing"'),
    (["More", "--needs", "lok"], 'did you mean "look"?'),
    (
        ["More", "--priority", "12", "--check", " ", "--role", "cook", "--ref", "gone.md"],
        "priority should be at most 10, not 12\nchecks[0]: a command cannot be empty\n"
        'there is no role "cook"\n   describe it under roles.cook\nthere is no file "gone.md"',
    ),
    (["More", "--provider", "openai"], 'this plan does not use the provider "openai"\n   it uses replay'),
    (["More", "--description", "my key is sesame-open-9"], "description: this is the value of SOME_TOKEN"),
    (["", "--run", "true"], "title should not be empty"),
    ([" "], 'task "task" has a title of nothing but spaces'),
    (["More", "--run", ""], "command: a command cannot be empty"),
    (["More", "--run", "true", "--model", "m"], "--model is for an agent, and with --run a command does it"),
    (["More {#more run=ls}"], "attributes are for task files, and this has id, run: say it with options"),
    (["More", "--id", "../more"], '"../more" cannot be an id'),
    (["More", "--id", "look"], '"look" is another task already'),
]


def test_what_cannot_be_is_refused_at_the_prompt(waiting: Project) -> None:
    """With its reason, and nothing is left in the session."""
    before = waiting.journal()
    for said, told in WRONG:
        outcome = waiting.run("add", *said, env={"SOME_TOKEN": "sesame-open-9"}, expect=2)
        assert told in outcome.stderr
        assert "sesame" not in outcome.stdout + outcome.stderr
    assert waiting.journal() == before
    assert list(waiting.session().messages()) == []


def test_a_task_cannot_add_tasks_as_its_person_would(waiting: Project) -> None:
    """An agent hands them in, where rights and number are looked at."""
    told = waiting.run("add", "More", env={"ACA_ATTEMPT": "s/t/1"}, expect=2).stderr
    assert "a task cannot add tasks as its person would" in told


def test_what_no_longer_fits_when_it_is_read_is_told_and_kept(waiting: Project) -> None:
    """Between the prompt and the session the plan may move on; no message is lost without a word."""
    waiting.session().send(Addition({"id": "x", "title": "Late", "parent_id": "old"}, "ada"))
    told = waiting.run("resume", expect=4).stderr
    assert 'ada cannot add Late: "old" is no group' in told
    [refused] = [event for event in waiting.journal() if isinstance(event, ev.AdditionRefused)]
    assert (refused.title, refused.by) == ("Late", "ada")
