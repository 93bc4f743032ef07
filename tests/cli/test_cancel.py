"""``aca cancel`` and ``aca pause``: a person stops a task, or a run, and the rest is as it should be."""

from __future__ import annotations

import pytest

from aca.core import events as ev
from aca.run import POLL_SECONDS
from tests.project import Project, Running

ADA = {"USER": "ada", "LOGNAME": "ada"}
TASKS = """\
- [ ] Slow {#slow run="touch began; tail -f /dev/null"}
- [ ] After {#after needs=slow run="touch after"}
- [ ] Other {#other run="until test -f go; do sleep 0.02; done"}
- [ ] Last {#last needs=other run="touch last"}
"""


def at_work(project: Project, tasks: str = TASKS, *options: str) -> Running:
    """An aca in the middle of ``slow``."""
    project.write({"tasks.md": tasks})
    running = project.start("--task-file", "tasks.md", "-j", "2", *options)
    running.until((project.root / "began").exists)
    return running


def test_a_running_task_is_stopped_and_the_rest_goes_on(project: Project) -> None:
    """It has failed, what needs it is skipped, nothing it started is left; exit code 1."""
    running = at_work(project)
    told = project.run("cancel", "slow", env=ADA).stdout
    assert f"slow is cancelled in session {project.session().id}: process {running.pid} goes on" in told
    running.until(lambda: "slow: failed: cancelled by ada" in running.stderr)
    project.write({"go": ""})
    running.finish(expect=1)
    states = project.session().state().states
    assert {name: now.status for name, now in states.items()} == {
        "slow": "failed", "after": "skipped", "other": "completed", "last": "completed",
    }  # fmt: skip
    assert states["slow"].reason == "cancelled by ada"
    assert project.processes() == []


def test_who_cancels_too_late_is_told(project: Project) -> None:
    """A task may end while somebody says that it is not to: then he is not told that it was heeded."""
    running = at_work(project)
    ended = "any('task_completed' in line for line in open(self.journal_path))"
    env = project.sabotage(
        f"""
        import time
        from pathlib import Path
        from aca.sessions.session import Session
        def send(self, message, send=Session.send):
            Path("go").touch()
            while not {ended}: time.sleep(0.02)
            return send(self, message)
        Session.send = send
        """
    )
    assert '"other" is completed already' in project.run("cancel", "other", env=env, expect=2).stderr
    project.run("cancel", "slow")
    running.finish(expect=1)


def test_a_cancelled_task_is_not_tried_again_and_does_not_fail_the_others_fast(project: Project) -> None:
    """A person's word is no failure that another attempt could mend."""
    running = at_work(project, TASKS.replace("{#slow", "{#slow retries=3"), "--fail-fast")
    project.run("cancel", "slow")
    running.until(lambda: "slow: failed: cancelled" in running.stderr)
    project.write({"go": ""})
    running.finish(expect=1)
    assert (project.root / "last").exists()
    assert project.session().state().states["slow"].attempts == 1


def test_a_task_that_waits_is_cancelled_at_once(project: Project) -> None:
    """It never starts; nor does what needs it."""
    tasks = (
        TASKS.replace("{#last", "{#last retries=0") + '- [ ] Least {#least needs=last run="touch least"}\n'
    )
    running = at_work(project, tasks)
    project.run("cancel", "last")
    running.until(lambda: 'least: skipped: "last" failed' in running.stderr)
    project.write({"go": ""})
    project.run("cancel", "slow")
    running.finish(expect=1)
    assert not (project.root / "last").exists()
    assert not [
        event for event in project.journal() if isinstance(event, ev.TaskStarted) and event.task == "last"
    ]


def test_what_is_ready_but_has_no_room_yet_never_starts(project: Project) -> None:
    """It stood in the queue already."""
    slow = "touch began; until test -f go; do sleep 0.02; done"
    tasks = f'- [ ] Slow {{#slow run="{slow}"}}\n- [ ] Next {{#next run="touch next"}}\n'
    project.write({"tasks.md": tasks})
    running = project.start("--task-file", "tasks.md")
    running.until((project.root / "began").exists)
    project.run("cancel", "next")
    running.until(lambda: "next: failed: cancelled" in running.stderr)
    project.write({"go": ""})
    running.finish(expect=1)
    assert not (project.root / "next").exists()


def test_a_long_wait_for_another_attempt_ends_with_the_task(project: Project) -> None:
    """The run does not sit out a delay that nobody needs any more."""
    tasks = '- [ ] Fail {#fail run="false" retries=1 retry_delay=1h}\n'
    project.write({"tasks.md": tasks})
    running = project.start("--task-file", "tasks.md")
    running.until(lambda: "attempt 1 failed" in running.stderr)
    project.run("cancel", "fail")
    running.finish(expect=1, seconds=50 * POLL_SECONDS)


def test_a_group_is_cancelled_with_all_that_is_left_of_it(project: Project) -> None:
    """What is done stays done."""
    tasks = """\
- [ ] House {#house}
  - [ ] Door {#door run="true"}
  - [ ] Slow {#slow needs=door run="touch began; tail -f /dev/null"}
  - [ ] Roof {#roof needs=slow run="true"}
"""
    running = at_work(project, tasks)
    project.run("cancel", "House")
    running.finish(expect=1)
    states = project.session().state().states
    assert {name: now.status for name, now in states.items()} == {
        "house": "failed", "door": "completed", "slow": "failed", "roof": "failed",
    }  # fmt: skip


def test_a_group_is_cancelled_while_its_checks_run(project: Project) -> None:
    """All in it is done, but it is not."""
    tasks = '- [ ] House {#house check="touch began; tail -f /dev/null"}\n  - [ ] Door {#door run="true"}\n'
    running = at_work(project, tasks)
    project.run("cancel", "house", env=ADA)
    running.finish(expect=1)
    states = project.session().state().states
    assert (states["door"].status, states["house"].reason) == ("completed", "cancelled by ada")
    assert project.processes() == []


def test_what_was_cancelled_between_two_runs_is_not_taken_up(project: Project) -> None:
    """Nobody runs the session: the next run does without it, also after a kill in its middle."""
    running = at_work(project)
    running.kill()
    assert "aca resume goes on without it" in project.run("cancel", "slow", env=ADA).stdout
    assert "cancelled by ada" in project.run("show", "slow").stdout
    project.write({"go": ""})
    project.run("resume", expect=1)
    assert project.session().state().states["slow"].attempts == 1
    assert project.session().state().states["slow"].reason == "cancelled by ada"
    (project.root / "began").unlink()
    project.run("cancel", "slow", expect=2)


def test_a_task_whose_failure_the_plan_allows_may_be_cancelled_likewise(project: Project) -> None:
    """What needs it goes on, as the plan says."""
    running = at_work(project, TASKS.replace("{#slow", "{#slow on_failure=skip"))
    project.run("cancel", "slow")
    running.until((project.root / "after").exists)
    project.write({"go": ""})
    running.finish(expect=0)


# -- pause ------------------------------------------------------------------------------------------------


def test_a_paused_run_ends_when_what_runs_has_ended(project: Project) -> None:
    """Nothing new starts; exit code 130 says that it was interrupted, and resume does the rest."""
    running = at_work(project, TASKS.replace("tail -f /dev/null", "until test -f go; do sleep 0.02; done"))
    told = project.run("pause", env=ADA).stdout
    assert f"process {running.pid} starts nothing more" in told
    running.until(lambda: any(isinstance(event, ev.PauseRequested) for event in project.journal()))
    project.write({"go": ""})
    running.finish(expect=130)
    state = project.session().state()
    assert state.ended is not None
    assert state.ended.reason == "paused by ada"
    assert [now.status for now in state.states.values()] == ["completed", "pending", "completed", "pending"]
    project.run("resume")
    assert (project.root / "last").exists()


def test_only_what_runs_can_be_paused(project: Project) -> None:
    """Exit code 2, and why."""
    assert "no session is running here" in project.run("pause", expect=2).stderr
    project.write({"tasks.md": '- [ ] One {#one run="true"}\n'})
    project.run("--task-file", "tasks.md")
    one = project.session().id
    assert f"session {one} is not running" in project.run("pause", one, expect=2).stderr


@pytest.mark.parametrize("call", [("cancel", "sly"), ("pause",), ("send", "sly", "x")])
def test_a_task_cannot_do_what_is_a_persons_to_do(project: Project, call: tuple[str, ...]) -> None:
    """What runs within an attempt is refused, by the mark that everything in it has."""
    program = " ".join(project.argv(*call))
    project.write({"tasks.md": f'- [ ] Sly {{#sly run="{program} 2> told"}}\n'})
    project.run("--task-file", "tasks.md", expect=1)
    assert "a task cannot" in project.read("told")
    assert "this runs within one" in project.read("told")
