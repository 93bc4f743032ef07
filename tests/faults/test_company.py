"""aca is not alone: other runners, gc, people who edit or remove what it uses, and paths of any length."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from pathlib import Path

import pytest

from aca.core import events as ev
from tests.project import SECONDS, Project, Running

WAIT = "touch begun; until test -e go; do sleep 0.02; done"
TASKS = f'- [ ] Wait {{#wait run="{WAIT}"}}\n- [ ] Go on {{#on needs=wait run="printf x >> marks"}}\n'


def waiting(project: Project, *args: str) -> Running:
    """A run whose first task waits for the file ``go``."""
    project.write({"tasks.md": TASKS})
    running = project.start("run", "tasks.md", *args)
    running.until((project.root / "begun").exists)
    return running


def go(project: Project) -> None:
    (project.root / "go").touch()


def test_one_of_many_runners_gets_the_session(project: Project) -> None:
    """The others are told who has it, and nothing is done twice."""
    waiting(project).kill()
    runners = [project.start("resume") for _ in range(4)]
    deadline = time.monotonic() + SECONDS
    while sum(one.process.poll() is None for one in runners) > 1:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    go(project)
    outcomes = [one.finish() for one in runners]
    assert sorted(one.code for one in outcomes) == [0, 2, 2, 2]
    refused = [one.stderr for one in outcomes if one.code == 2]
    assert all("is being run by process" in told for told in refused)
    assert project.read("marks") == "x"


def test_two_runs_in_one_workspace_are_two_sessions(project: Project) -> None:
    """Neither ends what the other has started."""
    first = waiting(project)
    project.write({"other.md": '- [ ] Other {run="printf y >> other"}\n'})
    project.run("run", "other.md")
    go(project)
    first.finish(expect=0)
    assert (project.read("marks"), project.read("other")) == ("x", "y")


def test_gc_leaves_what_runs_alone(project: Project) -> None:
    """Even by force and of any age."""
    running = waiting(project)
    for args in (("--older-than", "0s"), ("--older-than", "0s", "--force")):
        assert "running" in project.run("gc", *args).stdout
    go(project)
    running.finish(expect=0)
    assert project.read("marks") == "x"


@pytest.mark.parametrize("what", [".aca", "the session", "the journal", "the inbox"])
def test_what_is_removed_under_a_run_is_told(project: Project, what: str) -> None:
    """Nothing runs on that could not be resumed, and nobody calls it a bug."""
    running = waiting(project)
    session = project.session().path
    paths = {".aca": project.root / ".aca", "the session": session, "the inbox": session / "inbox"}
    gone = paths.get(what, session / "journal.jsonl")
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    if what == "the journal":
        go(project)
    outcome = running.finish(expect=7)
    assert "something has removed it" in outcome.stderr + outcome.stdout
    assert project.processes() == []


def test_files_may_be_edited_while_they_are_carried_out(project: Project) -> None:
    """What runs is what was read, and the next run is of what stands there now."""
    running = waiting(project)
    project.write({"tasks.md": '- [ ] Something else {#else run="printf y >> other"}\n'})
    project.write({"aca.toml": "nonsense = true\n"})
    go(project)
    running.finish(expect=0)
    assert project.read("marks") == "x"
    (project.root / "aca.toml").unlink()
    project.run("run", "tasks.md")
    assert project.read("other") == "y"


def test_a_plan_that_is_edited_while_it_runs_is_no_surprise(project: Project) -> None:
    """The session has its own copy; who edits that is told so before anything else is done."""
    running = waiting(project)
    plan = project.session().path / "plan.json"
    plan.write_text(plan.read_text().replace("printf x", "printf z"))
    running.kill()
    assert "was changed after the session began" in project.run("resume", expect=6).stderr
    assert not (project.root / "marks").exists()


def test_a_workspace_may_lie_very_deep(project: Project) -> None:
    """Paths longer than sockets and terminals like."""
    deep = Path(*["x" * 200] * 15)
    folder = project.root / deep
    project.write({f"{deep}/tasks.md": '- [ ] One {run="printf x >> marks"}\n'})
    project.run("run", str(folder / "tasks.md"), "--workspace", str(folder))
    project.run("status", "--workspace", str(folder))
    assert (folder / "marks").read_text() == "x"


# -- much at once -------------------------------------------------------------------------------------------


def test_a_large_plan_is_killed_in_its_middle(project: Project, request: pytest.FixtureRequest) -> None:
    """Two hundred at once; each task has been done, what was known to be done not once more."""
    size = 10_000 if request.config.getoption("all") else 500
    lines = [f'- [ ] Step {n} {{#s{n} run="printf s{n}, >> marks"}}' for n in range(size)]
    project.write({"tasks.md": "\n".join(lines) + "\n"})
    running = project.start("run", "tasks.md", "-j", "200", "--quiet")
    running.until(lambda: len(done(project)) > size / 3)
    running.kill()
    known = done(project)
    before = Counter(project.read("marks").split(",")[:-1])
    project.start("resume", "-j", "200", "--quiet").finish(expect=0, seconds=600)
    after = Counter(project.read("marks").split(",")[:-1])
    assert len(after) == len(done(project)) == size
    assert all(after[name] == before[name] == 1 for name in known)
    assert sum(after.values()) <= size + 200
    assert project.processes() == []


def done(project: Project) -> list[str]:
    if not project.sessions():
        return []
    return [one.task for one in project.journal() if isinstance(one, ev.TaskCompleted)]
