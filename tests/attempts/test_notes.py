"""Agents leave notes, and every later task is told them."""

from __future__ import annotations

import pytest

from aca.core import events as ev
from tests.contracts.models import every_kind
from tests.model_server import Hang, ModelServer, text, tool
from tests.project import Project
from tests.providers.test_model_apis import environment, settings

TASKS = "- [ ] First {#first retry_delay=1ms}\n- [ ] Second {#second}\n"
HEADING = "# Notes of those who worked before you"


def prompt(project: Project, task: str, attempt: int = 1) -> str:
    return (project.session().task_logs / task / f"{attempt}.prompt.md").read_text()


def run(project: Project, script: str, tasks: str = TASKS, expect: int = 0) -> None:
    project.write({"tasks.md": project.replay(script) + tasks})
    project.run("--task-file", "tasks.md", expect=expect)


def test_a_note_is_told_to_every_later_task_and_shown(project: Project) -> None:
    """Whether it needs the task that left it or not; a task that is not later is told nothing."""
    script = """
        [tasks.first]
        steps = [{note = "The tests need a database."}, {say = "done"}]
        [tasks.second]
        steps = [{say = "done"}]
        """
    run(project, script)
    assert HEADING not in prompt(project, "first")
    assert f"{HEADING}\n\n- The tests need a database. (First)" in prompt(project, "second")
    assert project.run("show", "first", "--json").json["notes"] == ["The tests need a database."]
    assert "note      The tests need a database." in project.run("show", "first").stdout
    assert project.run("status", "--json").json["tasks"][0]["notes"] == ["The tests need a database."]


def test_what_a_failed_attempt_found_out_is_not_lost(project: Project) -> None:
    """The next attempt is told, and so is everybody else."""
    script = """
        [tasks.first]
        steps = [{attempt = 1, note = "Port 5432 is taken."}, {attempt = 1, fail = "no"}, {say = "done"}]
        [tasks.second]
        steps = [{say = "done"}]
        """
    run(project, script)
    assert "- Port 5432 is taken." in prompt(project, "first", 2)
    assert prompt(project, "second").count("Port 5432") == 1


def test_of_very_many_notes_the_newest_are_told(project: Project) -> None:
    """In the order they were left, as far as there is room."""
    notes = ", ".join(f'{{note = "Note {number}: {"x" * 500}"}}' for number in range(100))
    script = (
        f"[tasks.first]\nsteps = [{notes}, {{say = 'done'}}]\n[tasks.second]\nsteps = [{{say = 'done'}}]\n"
    )
    run(project, script)
    told = prompt(project, "second")
    assert len(told) < 20_000
    assert "Note 0:" not in told
    assert told.index("Note 98:") < told.index("Note 99:")


@every_kind
def test_a_model_leaves_notes(project: Project, kind: str) -> None:
    """With a tool; a task that is read-only may, too."""
    with ModelServer() as server:
        noting = [tool("note", text="It is Python 2."), tool("finish", result="Looked.")]
        server.script("work", noting, when="Your task: First")
        server.script("work", [text("Done.")], when="Your task: Second")
        front = "---\npermissions: read-only\n---\n"
        project.write({"tasks.md": front + TASKS, "aca.toml": settings(kind)})
        outcome = project.run("--task-file", "tasks.md", env=environment(server))
    assert "- It is Python 2. (First)" in prompt(project, "second")
    assert "first: notes: It is Python 2." in outcome.stderr


def test_a_note_outlives_a_kill(project: Project) -> None:
    """It is in the journal before the model goes on."""
    with ModelServer() as server:
        server.script("work", [tool("note", text="Mind the gap.")], Hang())
        project.write({"tasks.md": TASKS, "aca.toml": settings("anthropic")})
        running = project.start("--task-file", "tasks.md", env=environment(server))
        running.until(lambda: len(server.requests) == 2)
        running.kill()
    [note] = [event for event in project.journal() if isinstance(event, ev.NoteLeft)]
    assert (note.task, note.attempt, note.text) == ("first", 1, "Mind the gap.")


@pytest.mark.parametrize("text", ["", "x" * 2001])
def test_a_note_has_some_text_and_not_too_much(project: Project, text: str) -> None:
    """The model is told so, and goes on."""
    with ModelServer() as server:
        server.script("work", [tool("note", text=text)])
        project.write({"tasks.md": "- [ ] First {#first}\n", "aca.toml": settings("anthropic")})
        project.run("--task-file", "tasks.md", env=environment(server))
        assert "these arguments cannot be used: text:" in str(server.requests[-1].body)
    assert not [event for event in project.journal() if isinstance(event, ev.NoteLeft)]
