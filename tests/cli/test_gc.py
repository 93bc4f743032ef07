"""Cleaning up: ``aca gc`` removes what nobody needs, and nothing else."""

from __future__ import annotations

import os
import time
from textwrap import dedent

from tests.project import Project


def a_finished_and_a_waiting_session(project: Project) -> tuple[str, str]:
    project.write({"done.md": '- [ ] One {run="true"}\n', "waits.md": "- [ ] Look {kind=approval}\n"})
    project.run("run", "done.md")
    project.run("run", "waits.md", expect=4)
    first, second = project.sessions()
    return first.id, second.id


def left(project: Project) -> list[str]:
    return [one.id for one in project.sessions()]


def test_young_sessions_are_spared(project: Project) -> None:
    """A week is the default."""
    both = a_finished_and_a_waiting_session(project)
    assert project.run("gc").stdout.splitlines() == [f"{one}  kept: younger than asked" for one in both]


def test_a_session_that_can_be_resumed_is_removed_only_with_force(project: Project) -> None:
    """The finished one goes, the waiting one stays, until somebody insists."""
    done, waits = a_finished_and_a_waiting_session(project)
    told = project.run("gc", "--older-than", "0s").stdout
    assert f"{done}  removed" in told
    assert f"{waits}  kept, needs --force: it can still be resumed" in told
    assert left(project) == [waits]
    project.run("gc", "--older-than", "0s", "--force")
    assert left(project) == []


def test_a_dry_run_removes_nothing(project: Project) -> None:
    """It says what would go."""
    done, waits = a_finished_and_a_waiting_session(project)
    assert f"{done}  would be removed" in project.run("gc", "--older-than", "0s", "--dry-run").stdout
    assert left(project) == [done, waits]


def test_a_running_session_is_never_removed(project: Project) -> None:
    """Whatever else is asked for."""
    project.write({"tasks.md": '- [ ] Slow {run="sleep 60"}\n'})
    running = project.start("--task-file", "tasks.md")
    running.until(lambda: "slow: started" in running.stderr)
    assert "kept: it is running" in project.run("gc", "--older-than", "0s", "--force").stdout
    assert len(left(project)) == 1


def test_a_young_session_is_spared_even_where_it_cannot_be_read(project: Project) -> None:
    """By when its journal was last written, or by its id; ``--force`` is about something else."""
    project.write({"done.md": '- [ ] One {run="true"}\n'})
    project.run("run", "done.md")
    one = project.session()
    (one.path / "plan.json").write_text("{}")
    assert "kept: younger than asked" in project.run("gc", "--force", "--older-than", "30d").stdout
    os.utime(one.journal_path, (0, 0))
    assert f"{one.id}  would be removed" in project.run("gc", "--force", "--dry-run").stdout
    one.journal_path.unlink()
    assert "kept: younger than asked" in project.run("gc", "--force").stdout
    project.run("gc", "--force", "--older-than", "0s")
    assert left(project) == []


def test_an_age_that_cannot_be_read_is_refused(project: Project) -> None:
    """By name."""
    assert "'--older-than'" in project.run("gc", "--older-than", "old", expect=2).stderr


def test_a_session_that_failed_is_removed_only_with_force(project: Project) -> None:
    """``aca resume --failed`` may still mend it."""
    project.write({"tasks.md": '- [ ] One {run="false"}\n'})
    project.run("--task-file", "tasks.md", expect=1)
    told = project.run("gc", "--older-than", "0s").stdout
    assert "kept, needs --force: aca resume --failed can still mend it" in told
    assert len(left(project)) == 1
    project.run("gc", "--older-than", "0s", "--force")
    assert left(project) == []


def test_a_session_taken_up_while_it_is_judged_is_kept(project: Project) -> None:
    """It is removed under its lock, or not at all."""
    done, _ = a_finished_and_a_waiting_session(project)
    taken_up = """
        import fcntl, os
        from aca.workspaces import collection
        judge, held = collection._doom, []
        def slow(one, **said):
            verdict = judge(one, **said)
            held.append(os.open(one.lock_path, os.O_RDWR | os.O_CREAT))
            fcntl.flock(held[-1], fcntl.LOCK_EX)
            return verdict
        collection._doom = slow
        """
    told = project.run("gc", "--older-than", "0s", env=project.sabotage(dedent(taken_up))).stdout
    assert f"{done}  kept: it is running" in told
    assert done in left(project)


def test_only_old_remains_of_crashes_are_swept(project: Project) -> None:
    """A session that is being made right now has a name like theirs."""
    a_finished_and_a_waiting_session(project)
    sessions = project.root / ".aca" / "sessions"
    for name in (".old", ".new"):
        (sessions / name / "inbox").mkdir(parents=True)
    two_hours_ago = time.time() - 7200
    os.utime(sessions / ".old", (two_hours_ago, two_hours_ago))
    project.run("gc")
    assert [path.name for path in sessions.glob(".*")] == [".new"]
