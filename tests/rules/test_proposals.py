"""Work that agents find: it waits for a person, holds nothing up, and is done once somebody has said so."""

from __future__ import annotations

from typing import Any

import pytest

from aca.attempts import last_word
from aca.core import events as ev
from aca.sessions.messages import Answer
from tests.project import Project

ADA = {"USER": "ada", "LOGNAME": "ada"}
TASKS = "- [ ] Build {#build retries=1 retry_delay=0}\n- [ ] Ship {#ship needs=build run=true}\n"
SCRIPT = """\
tasks.build.steps = [
  {propose = {title = "Mend the clock", description = "It is late."}},
  {fail = "again", attempt = 1},
]
tasks."*".steps = [{write = "clock", content = "on time"}]
"""


def run(project: Project, script: str = SCRIPT, *args: str) -> str:
    project.write({"tasks.md": project.replay(script) + TASKS})
    done = project.run("run", "tasks.md", *args)
    return done.stdout + done.stderr


def proposed(project: Project) -> list[Any]:
    return [event for event in project.journal() if isinstance(event, ev.TaskProposed)]


def test_what_an_agent_proposes_waits_for_a_person_and_nothing_else_does(project: Project) -> None:
    """The run is a success, and says at its end what there is to decide; a second try proposes it once."""
    told = run(project)
    assert "build: proposes Mend the clock: aca approve build.mend-the-clock, or aca reject" in told
    assert "every task is completed and verified; 1 task waits for your approval" in told
    assert "next     aca approve build.mend-the-clock   (or aca reject), then aca resume" in told
    assert len(proposed(project)) == 1
    shown = project.run("show", "build.mend-the-clock").stdout
    assert 'proposed by the agent of "build"' in shown
    assert "waits for approval" in shown
    assert "nothing to do" in project.run("resume").stdout


@pytest.mark.parametrize("second", [True, False])
def test_of_two_answers_the_first_one_counts(project: Project, second: bool) -> None:
    """However near to each other they come, the work is done once, and not taken for done."""
    project.write({"tasks.md": project.replay(SCRIPT) + TASKS + "- [ ] Ask {#ask kind=approval}\n"})
    project.run("run", "tasks.md", expect=4)
    for approved in (True, second):
        project.session().send(Answer(task="build.mend-the-clock", approved=approved, by="ada"))
    project.run("resume", expect=4)
    assert project.read("clock") == "on time"
    begun = [event.task for event in project.journal() if isinstance(event, ev.TaskStarted)]
    assert begun.count("build.mend-the-clock") == 1


def test_approved_it_is_done(project: Project) -> None:
    """By the rights of the task it was found in; everything else stays as it was."""
    run(project)
    project.run("approve", "Mend the clock", "--comment", "please", env=ADA)
    project.run("resume")
    assert project.read("clock") == "on time"
    prompt = project.session().task_logs / "build.mend-the-clock" / "1.prompt.md"
    assert "It is late." in prompt.read_text()
    [reopened] = [event for event in project.journal() if isinstance(event, ev.TaskReopened)]
    assert reopened.reason == "approved by ada: please"
    told = project.run("approve", "Mend the clock", expect=2).stderr
    assert "is of kind agent, not an approval" in told


def test_rejected_it_is_no_failure(project: Project) -> None:
    """It is skipped, with who said so."""
    run(project)
    project.run("reject", "Mend the clock", env=ADA)
    assert "but for 1 skipped task" in project.run("resume").stdout
    assert "rejected by ada" in project.run("show", "Mend the clock").stdout


def test_approved_while_the_rest_runs_it_is_done_at_once(project: Project) -> None:
    """A running session hears the answer."""
    script = SCRIPT + 'tasks.last.steps = [{run = "until test -f clock; do sleep 0.02; done"}]\n'
    tasks = project.replay(script) + TASKS + "- [ ] Last {#last needs=build}\n"
    project.write({"tasks.md": tasks})
    running = project.start("run", "tasks.md", "-j", "2")
    running.until(lambda: project.sessions() and proposed(project))
    project.run("approve", "Mend the clock")
    running.finish(expect=0)


def test_what_cannot_be_a_task_is_kept_as_a_note(project: Project) -> None:
    """Nothing an agent found is lost, and its task is none the worse."""
    run(project, 'tasks."*".steps = [{propose = {title = "Deploy", role = "boss"}}]\n')
    [note] = project.session().state().states["build"].notes
    assert note.startswith('proposed, but it cannot be a task (subtask 1: there is no role "boss")')
    assert proposed(project) == []


# -- agents that have no tools of aca ---------------------------------------------------------------------

AGENT = """\
#!/bin/sh
test "$1" = --version && { echo 1; exit; }
cat > /dev/null
test -f said-$ACA_TASK && cat said-$ACA_TASK || echo done
"""
SETTINGS = """\
provider = "words"
[providers.words]
kind = "cli"
command = ["./agent"]
output = "text"
permissions = {workspace-write = []}
[defaults]
retries = 0
"""


def talk(project: Project, said: str, expect: int = 0) -> str:
    project.write(
        {"agent": AGENT, "aca.toml": SETTINGS, "tasks.md": "- [ ] Build {#build}\n", "said-build": said}
    )
    (project.root / "agent").chmod(0o755)
    return project.run("run", "tasks.md", expect=expect).stderr


def test_an_agent_cli_ends_its_last_word_with_what_it_hands_in(project: Project) -> None:
    """Its prompt says how. Subtasks run, a proposal waits, a note is kept, and the result has no block."""
    handed_in = """\
        Two halves.

        ```aca
        {"subtasks": [{"title": "One"}, {"title": "Two", "dependencies": ["One"]}],
         "proposals": [{"title": "Tidy up"}], "notes": ["The wall is blue."]}
        ```
        """
    talk(project, handed_in)
    one = project.session()
    assert last_word.REQUEST in (one.task_logs / "build" / "1.prompt.md").read_text()
    state = one.state()
    assert state.states["build"].summary == "Two halves."
    assert state.children["build"] == ["build.one", "build.two"]
    assert (state.states["build"].status, state.states["build.tidy-up"].status) == ("completed", "blocked")
    assert state.states["build"].notes == ("The wall is blue.",)


def test_a_block_that_cannot_be_used_fails_the_attempt_with_the_reason(project: Project) -> None:
    """So that the next one can put it right."""
    told = talk(project, '```aca\n{"subtasks": [}\n```\n', expect=1)
    assert "the block at the end of the agent's last word cannot be used: it is not JSON" in told


@pytest.mark.parametrize(
    ("block", "wrong"),
    [
        ("[]", "it should be a table of subtasks, proposals, notes"),
        ('{"tasks": []}', "it should be a table of subtasks, proposals, notes"),
        ('{"subtasks": {}}', "subtasks should be a list"),
        ('{"notes": [1]}', "notes should be texts"),
        ("[" * 100_000, "it is nested too deeply"),
    ],
)
def test_a_block_is_read_strictly(block: str, wrong: str) -> None:
    """What cannot be understood is told, and never half taken."""
    said = last_word.read(f"Done.\n```aca\n{block}\n```\n")
    assert (said.text, said.wrong, said.subtasks) == ("Done.", wrong, ())


@pytest.mark.parametrize(
    "text",
    [
        "Done.", "```aca\n{}\n```\nThat was the block.", "``` aca\n{}\n```", "x ```aca\n{}",
        "x ```aca\n{}\n```", "```aca\n{}\n```\n```\ncode\n```", "```acab\n{}\n```", "```aca\n" * 100_000, "",
    ],
)  # fmt: skip
def test_a_block_is_only_one_at_the_very_end(text: str) -> None:
    """What an agent quotes hands nothing in."""
    assert last_word.read(text) == last_word.LastWord(text)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_block_counts_however_its_lines_end_and_whatever_is_quoted_above(end: str) -> None:
    """The last one is meant, and an empty one hands nothing in."""
    lines = [
        "As in",
        "```aca",
        '{"notes": ["old"]}',
        "```",
        "I say:",
        "```aca ",
        '{"notes": ["new"]}',
        "```",
        "",
    ]
    said = last_word.read(end.join(lines))
    assert (said.notes, said.wrong) == (("new",), "")
    assert said.text.endswith("I say:")
    assert last_word.read(end.join(["```aca", "```"])).wrong.startswith("it is not JSON")
