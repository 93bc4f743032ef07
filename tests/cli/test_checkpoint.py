"""Names for the places a session has reached."""

from __future__ import annotations

import pytest

from tests.project import Project


def two_tasks(project: Project) -> None:
    project.write({"tasks.md": '1. One {run="true"}\n2. Two {run="true"}\n'})
    project.run("--task-file", "tasks.md")


def test_every_finished_task_is_a_checkpoint(project: Project) -> None:
    """Listed with an id to resume from, the time and the progress."""
    two_tasks(project)
    told = project.run("--list-checkpoints").stdout.splitlines()
    assert [line.split()[-2:] for line in told] == [["1/2", "one"], ["2/2", "two"]]
    assert project.run("checkpoint", "list").stdout.splitlines() == told
    listed = project.run("checkpoint", "list", "--json").json
    assert [row["id"] for row in listed] == [line.split()[0] for line in told]
    assert listed[0]["id"].startswith(f"{project.session().id}:")


def test_listing_changes_nothing(project: Project) -> None:
    """Not even where there is nothing to list."""
    assert project.run("--list-checkpoints").stdout == "no checkpoint yet\n"
    assert not (project.root / ".aca").exists()


def test_a_session_at_rest_gets_a_checkpoint(project: Project) -> None:
    """Its id is told, and resuming it finds nothing to do."""
    two_tasks(project)
    outcome = project.run("checkpoint", "create", "before-review")
    assert outcome.stdout.startswith(f"checkpoint {project.session().id}:")
    assert "nothing to do" in project.run("resume", "before-review").stdout


def test_a_running_session_gets_a_checkpoint(project: Project) -> None:
    """Through its inbox, and the command waits until it is there."""
    project.write({"tasks.md": '- [ ] Slow {run="until test -f go; do sleep 0.05; done"}\n'})
    running = project.start("--task-file", "tasks.md")
    running.until(lambda: "slow: started" in running.stderr)
    outcome = project.run("checkpoint", "create", "half-way")
    assert outcome.stdout.startswith(f"checkpoint {project.session().id}:")
    project.write({"go": ""})
    running.finish(expect=0)


@pytest.mark.parametrize("name", ["one", "7", "a:b", " ", "a\nb"])
def test_some_names_are_refused(project: Project, name: str) -> None:
    """One that is taken, or that could be read as something else."""
    two_tasks(project)
    before = project.journal()
    project.run("checkpoint", "create", name, expect=2)
    assert project.journal() == before
