"""Asking a person: ``aca approve`` and ``aca reject``, while aca runs and when it does not."""

from __future__ import annotations

import pytest

from aca.core import events as ev
from aca.sessions.session import Session
from tests.project import Project

TASKS = """\
1. Make {#make run="touch made"}
2. Look at it {#look kind=approval}
3. Ship {#ship run="touch shipped"}
"""
BESIDE = """\
- [ ] Look {#look kind=approval}
- [ ] Ship {#ship needs=look run="touch shipped"}
- [ ] Slow {#slow run="until test -f end; do sleep 0.05; done"}
"""


def waits(project: Project) -> None:
    """A session at rest that waits for approval."""
    project.write({"tasks.md": TASKS})
    outcome = project.run("--task-file", "tasks.md", expect=4)
    assert "waits for approval: aca approve look" in outcome.stderr
    assert "aca approve look" in outcome.stdout
    assert not (project.root / "shipped").exists()


def answer(project: Project) -> ev.ApprovalAnswered:
    [one] = [event for event in project.journal() if isinstance(event, ev.ApprovalAnswered)]
    return one


def test_an_approval_is_recorded_and_resume_goes_on(project: Project) -> None:
    """Who approved, and what was said, is in the journal."""
    waits(project)
    outcome = project.run("approve", "look", "--comment", "fine by me", env={"USER": "ada", "LOGNAME": "ada"})
    assert outcome.stdout.strip().endswith("aca resume goes on")
    project.run("resume")
    assert (project.root / "shipped").exists()
    assert (answer(project).by, answer(project).comment, answer(project).approved) == (
        "ada",
        "fine by me",
        True,
    )


def test_a_rejection_fails_the_task_and_skips_what_needs_it(project: Project) -> None:
    """The reason names the person's word."""
    waits(project)
    project.run("reject", "Look at it", "--comment", "too early")
    outcome = project.run("resume", expect=1)
    assert "rejected by" in outcome.stdout
    assert "too early" in outcome.stdout
    assert not (project.root / "shipped").exists()


def test_a_running_aca_picks_the_answer_up(project: Project) -> None:
    """The rest is done by the run that is alive; nobody has to resume."""
    project.write({"tasks.md": BESIDE})
    running = project.start("--task-file", "tasks.md", "-j", "3")
    running.until(lambda: "look: waits for approval" in running.stderr)
    outcome = project.run("approve", "look")
    assert f"process {running.pid} goes on with it" in outcome.stdout
    running.until((project.root / "shipped").exists)
    project.write({"end": ""})
    running.finish(expect=0)


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("lok", 'did you mean "look"?'),
        ("make", '"make" is of kind command, not an approval'),
    ],
)
def test_what_cannot_be_approved_is_refused(project: Project, task: str, told: str) -> None:
    """By name, with the nearest task or the reason."""
    waits(project)
    assert told in project.run("approve", task, expect=2).stderr


def test_what_was_answered_and_is_done_cannot_be_answered(project: Project) -> None:
    """The second one would change nothing."""
    waits(project)
    project.run("approve", "look")
    project.run("resume")
    assert '"look" is completed already' in project.run("reject", "look", expect=2).stderr


def test_a_second_answer_is_refused_before_anybody_goes_on(project: Project) -> None:
    """The first one counts, so nobody is told that his own did; what was approved can be cancelled."""
    waits(project)
    project.run("approve", "look", env={"USER": "ada", "LOGNAME": "ada"})
    for command in ("reject", "approve"):
        told = project.run(command, "look", expect=2).stderr
        assert '"look" is approved already by ada' in told
        assert "aca cancel look takes that back" in told
    project.run("cancel", "look")
    project.run("resume", expect=1)
    assert not (project.root / "shipped").exists()


def test_what_is_cancelled_cannot_be_answered(project: Project) -> None:
    """Nobody has run it since, and nothing would come of the answer."""
    waits(project)
    project.run("cancel", "look", env={"USER": "ada", "LOGNAME": "ada"})
    for command in ("approve", "reject"):
        assert '"look" is cancelled already by ada' in project.run(command, "look", expect=2).stderr


def test_the_newest_session_in_which_the_task_is_open_is_meant(project: Project) -> None:
    """A later session without that task does not get the answer."""
    waits(project)
    first = project.session()
    project.write({"other.md": '- [ ] Other {run="true"}\n'})
    project.run("run", "other.md")
    assert first.id in project.run("approve", "look").stdout


def test_an_answer_is_not_asked_for_again(project: Project) -> None:
    """Until aca goes on, status and show say that there is one, and by whom."""
    waits(project)
    project.run("approve", "look", env={"USER": "ada", "LOGNAME": "ada"})
    told = project.run("status").stdout
    assert "  waits    look: answered (approved by ada); aca resume goes on\n" in told
    assert "  next     aca resume (goes on with the answer)\n" in told
    assert "aca approve" not in told
    assert "answered (approved by ada)" in project.run("show", "look").stdout


@pytest.mark.parametrize("command", ["approve", "reject"])
def test_a_task_cannot_answer_for_a_person(project: Project, command: str) -> None:
    """What runs within an attempt is refused, by the mark that everything in it has."""
    program = " ".join(project.argv(command, "gate"))
    tasks = f'- [ ] Gate {{#gate kind=approval}}\n- [ ] Sly {{#sly run="{program} 2> told"}}\n'
    project.write({"tasks.md": tasks})
    project.run("--task-file", "tasks.md", expect=4)
    state = project.session().state()
    assert state.states["gate"].answer is None
    assert state.states["sly"].reason.endswith("exit code 2")
    told = project.read("told")
    assert "a task cannot answer what a person is asked" in told
    assert f"ACA_ATTEMPT is {project.session().id}/sly/1" in told


def test_an_unsound_session_is_not_passed_over_for_an_older_one(project: Project) -> None:
    """The newest may be the one that is meant: then the answer belongs to no other."""
    waits(project)
    waits(project)
    drift(project.sessions()[-1])
    assert "plan.json was changed" in project.run("approve", "look", expect=6).stderr
    project.run("approve", "look", "--session", project.sessions()[0].id)


def test_an_older_unsound_session_holds_nothing_up(project: Project) -> None:
    """Resume, approve and the names of checkpoints find what lies behind it."""
    waits(project)
    project.run("checkpoint", "create", "here")
    waits(project)
    drift(project.sessions()[1])
    project.write({"other.md": '- [ ] Other {run="true"}\n'})
    project.run("run", "other.md")
    first = project.sessions()[0].id
    assert first in project.run("approve", "look").stdout
    project.run("resume", expect=0)
    assert project.sessions()[0].state().counts["completed"] == 3
    project.run("resume", "here", expect=4)
    assert project.sessions()[-1].state().forked_from.startswith(first)


def drift(one: Session) -> None:
    """Somebody has edited the plan of a session."""
    path = one.path / "plan.json"
    path.write_text(path.read_text() + " ")
