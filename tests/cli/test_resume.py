"""Going on: after a kill, after a failure, from an older checkpoint."""

from __future__ import annotations

import time

import pytest

from aca.core import events as ev
from aca.plans.plan import Plan
from aca.plans.task import Task
from aca.sessions import journal, session
from tests.project import Project

SCRIPT = """
    [tasks.one]
    steps = [{run = "echo one >> ran.txt"}]
    [tasks.two]
    steps = [{run = "echo two >> ran.txt"}, {hang = true, attempt = 1}]
    [tasks.three]
    steps = [{run = "echo three >> ran.txt"}]
    [tasks.flaky]
    steps = [{run = "test -f mended", must = true}]
"""
THREE = "1. One {#one}\n2. Two {#two}\n3. Three {#three}\n"


def write_tasks(project: Project, tasks: str) -> None:
    project.write({"tasks.md": project.replay(SCRIPT) + tasks})


def killed_in_the_second_task(project: Project) -> None:
    """A session whose runner was killed while task two was at work."""
    write_tasks(project, THREE)
    running = project.start("--task-file", "tasks.md")
    running.until(lambda: "two: started" in running.stderr and project.read("ran.txt").endswith("two\n"))
    running.kill()


def finished(project: Project, count: int) -> session.Session:
    """A session of *count* tasks that are all done, as its runner would have left it."""
    plan = Plan(
        tasks=tuple(Task(id=f"t{n}", title=f"Task {n}", kind="command", command="true") for n in range(count))
    )
    text = plan.model_dump_json(by_alias=True, exclude_defaults=True)
    one = session.create(project.root, text)
    written = journal.Journal(one.journal_path, 1)
    for task in plan.tasks:
        written.append(ev.TaskStarted(task=task.id, attempt=1))
        written.append(ev.TaskCompleted(task=task.id, attempt=1, seconds=0.5))
    written.append(ev.RunEnded(exit_code=0, reason="every task is completed and verified"))
    written.commit()
    written.close()
    return one


def test_a_killed_session_goes_on_where_it_was(project: Project) -> None:
    """What was done stays done, what was cut off is tried again, and the rest follows."""
    killed_in_the_second_task(project)
    assert "cut off: aca resume goes on" in project.run("status").stdout
    outcome = project.run("resume")
    assert project.read("ran.txt").split() == ["one", "two", "two", "three"]
    assert "[2/3] two: completed" in outcome.stderr
    assert len(project.sessions()) == 1


def test_resume_takes_the_newest_unfinished_session(project: Project) -> None:
    """A later session that is finished is not in the way; a named one is taken by the start of its id."""
    killed_in_the_second_task(project)
    unfinished = project.session()
    project.write({"other.md": '- [ ] Other {run="true"}\n'})
    project.run("run", "other.md")
    assert "nothing to do" in project.run("resume", project.sessions()[-1].id).stdout
    project.run("resume")
    assert project.journal(unfinished)[-1] == ev.RunEnded(
        seq=len(project.journal(unfinished)),
        at=project.journal(unfinished)[-1].at,
        exit_code=0,
        reason="every task is completed and verified",
    )


def test_a_second_runner_is_refused_with_the_first_one_s_pid(project: Project) -> None:
    """Two processes never write one journal."""
    write_tasks(project, THREE)
    running = project.start("--task-file", "tasks.md")
    running.until(lambda: "two: started" in running.stderr)
    outcome = project.run("resume", expect=2)
    assert f"being run by process {running.pid}" in outcome.stderr


def test_nothing_to_do_is_said_with_the_code_of_the_end(project: Project) -> None:
    """A finished session is left as it is."""
    write_tasks(project, "- [ ] One {#one}\n")
    project.run("--task-file", "tasks.md")
    before = project.journal()
    assert project.run("resume").stdout.startswith(f"nothing to do in session {project.session().id}")
    assert project.journal() == before
    assert project.run("resume", "--json").json["exit_code"] == 0


def test_failed_tasks_are_tried_again_when_asked_for(project: Project) -> None:
    """Without ``--failed`` a failure stays; with it, what was skipped because of it runs as well."""
    write_tasks(project, "- [ ] Flaky {#flaky retries=0}\n- [ ] One {#one needs=flaky}\n")
    project.run("--task-file", "tasks.md", expect=1)
    assert "aca resume --failed" in project.run("resume", expect=1).stdout
    project.write({"mended": ""})
    outcome = project.run("resume", "--failed", "--json")
    assert outcome.json["progress"] == {"completed": 2, "total": 2} | {
        key: 0 for key in outcome.json["progress"] if key not in ("completed", "total")
    }


def test_an_older_checkpoint_becomes_a_session_of_its_own(project: Project) -> None:
    """What happened after it is done again there, and the first session stays as it was."""
    write_tasks(project, "1. One {#one}\n2. Three {#three}\n")
    project.run("--task-file", "tasks.md")
    before = project.journal()
    first = project.session()
    project.run("resume", "one")
    assert project.read("ran.txt").split() == ["one", "three"]  # the file is as it was then, too
    assert project.journal(first) == before
    assert project.sessions()[-1].state().forked_from.startswith(f"{first.id}:")


def test_a_checkpoint_that_is_not_there_is_refused(project: Project) -> None:
    """By the same words as a session that is not there."""
    write_tasks(project, "- [ ] One {#one}\n")
    project.run("--task-file", "tasks.md")
    assert 'no session "nowhere"' in project.run("resume", "nowhere", expect=2).stderr
    for place in ("nowhere", "0", "9999"):
        name = f"{project.session().id}:{place}"
        assert "no checkpoint of session" in project.run("resume", name, expect=2).stderr


def test_resume_without_any_session_says_so(project: Project) -> None:
    """There is nothing to go on with, which is an error here."""
    assert "there is no session" in project.run("resume", expect=2).stderr


def test_overrides_hold_for_the_rest_of_the_session(project: Project) -> None:
    """Settings of a resume are in the journal, add up, and change what still runs."""
    killed_in_the_second_task(project)
    project.run("resume", "--max-tokens", "1000", "--model", "small", "-j", "2")
    state = project.session().state()
    assert state.overrides == {
        "limits": {"max_tokens": 1000}, "defaults": {"model": "small"}, "max_concurrent_tasks": 2
    }  # fmt: skip


def test_a_provider_that_cannot_do_the_rest_is_refused(project: Project) -> None:
    """It is found out before anything is written, and a plain resume still works."""
    killed_in_the_second_task(project)
    before = project.journal()
    outcome = project.run("resume", "--provider", "repla", expect=2)
    assert 'did you mean "replay"?' in outcome.stderr
    assert project.journal() == before
    project.run("resume")


@pytest.mark.parametrize("command", ["resume", "status"])
def test_ten_thousand_finished_tasks_are_no_burden(project: Project, command: str) -> None:
    """The answer comes at once: well below a second on a quiet machine, and this one may be busy."""
    finished(project, 10_000)
    began = time.monotonic()
    outcome = project.run(command)
    assert time.monotonic() - began < 5.0
    assert "10,000 completed" in outcome.stdout or "nothing to do" in outcome.stdout
    assert len(outcome.stdout.splitlines()) < 100


def test_a_group_is_no_agent_s_work(project: Project) -> None:
    """When only a group with its check is left, nobody is asked for what the group itself would do."""
    tasks = '- [ ] Group {#group check="test -f go || sleep 60"}\n  - [ ] One {#one}\n'
    write_tasks(project, tasks)
    running = project.start("--task-file", "tasks.md")
    running.until(lambda: "group: started" in running.stderr)
    running.kill()
    project.write({"go": ""})
    project.run("resume")
    assert project.read("ran.txt") == "one\n"


def test_who_did_what_is_done_need_not_be_here(project: Project) -> None:
    """A provider of finished tasks alone is not looked for."""
    write_tasks(project, "- [x] Done {#done provider=nobody}\n- [ ] One {#one}\n")
    project.run("--task-file", "tasks.md")


def test_a_refused_resume_ends_what_was_left_running(project: Project) -> None:
    """Whatever else is wrong, nothing of the killed run goes on behind one's back."""
    write_tasks(project, '- [ ] Slow {#slow run="touch began; sleep 60"}\n- [ ] One {#one needs=slow}\n')
    running = project.start("--task-file", "tasks.md")
    running.until((project.root / "began").exists)
    running.kill()
    assert len(project.processes()) > 0
    outcome = project.run("resume", "--provider", "nobody", expect=2)
    assert "that an earlier aca left behind" in outcome.stderr
    assert project.processes() == []


def test_a_refused_resume_writes_nothing(project: Project) -> None:
    """Failed tasks stay failed, and no fork is left behind."""
    write_tasks(project, "1. One {#one}\n2. Flaky {#flaky retries=0}\n3. Three {#three}\n")
    project.run("--task-file", "tasks.md", expect=1)
    before = project.journal()
    project.run("resume", "--failed", "--provider", "nobody", expect=2)
    first_task = next(event.seq for event in before if isinstance(event, ev.TaskCompleted))
    place = f"{project.session().id}:{first_task + 1}"
    project.run("resume", place, "--provider", "nobody", expect=2)
    assert project.journal() == before
    assert len(project.sessions()) == 1
    project.write({"mended": ""})
    project.run("resume", place)
    assert len(project.sessions()) == 2


def test_what_is_tried_again_is_not_counted_as_done(project: Project) -> None:
    """The first line of a resume shows how much is really done."""
    write_tasks(project, "1. One {#one}\n2. Flaky {#flaky retries=0}\n3. Three {#three}\n")
    project.run("--task-file", "tasks.md", expect=1)
    project.write({"mended": ""})
    assert "[1/3] flaky: started" in project.run("resume", "--failed").stderr


def test_nothing_to_do_is_told_to_machines_too(project: Project) -> None:
    """The same lines, and the same document, as those of a run."""
    write_tasks(project, "- [ ] One {#one}\n")
    ran = project.run("--task-file", "tasks.md", "--json").json
    assert project.run("resume", "--json").json == ran
    launch, done = project.run("resume", "--jsonl").jsonl
    assert (launch["type"], launch["session"]) == ("launch", project.session().id)
    assert (done["type"], done["exit_code"], done["reason"]) == ("done", 0, ran["reason"])
