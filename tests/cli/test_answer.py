"""Asking a person: ``aca approve`` and ``aca reject``, while aca runs and when it does not."""

from __future__ import annotations

import pytest

from aca import events as ev
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


def test_an_answer_cannot_be_given_twice(project: Project) -> None:
    """The second one would change nothing."""
    waits(project)
    project.run("approve", "look")
    project.run("resume")
    assert '"look" is completed already' in project.run("reject", "look", expect=2).stderr


def test_the_newest_session_in_which_the_task_is_open_is_meant(project: Project) -> None:
    """A later session without that task does not get the answer."""
    waits(project)
    first = project.session()
    project.write({"other.md": '- [ ] Other {run="true"}\n'})
    project.run("run", "other.md")
    assert first.id in project.run("approve", "look").stdout
