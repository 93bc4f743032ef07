"""``on_failure = "decompose"``: what failed is broken into smaller tasks, or mended and run again, once."""

from __future__ import annotations

from typing import Any

import pytest

from aca.core import events as ev
from tests.project import Project

BIG = """\
- [ ] Big {#big on_failure=decompose retries=1 retry_delay=0 check="echo is $(ls | wc -l); test -f two"}
"""
PIECES = """\
[[tasks.big.steps]]
say = "I cannot."
[[tasks.big.steps]]
output = {tasks = [
  {title = "One", description = "The first.", dependencies = []},
  {title = "Two", description = "The second.", dependencies = ["One"]},
]}
attempt = %d
[tasks."*"]
steps = [{write = "two", content = "2"}]
"""


def run(project: Project, script: str, tasks: str, expect: int = 0) -> str:
    project.write({"tasks.md": project.replay(script) + tasks})
    return project.run("run", "tasks.md", expect=expect).stderr


def of(project: Project, kind: type[ev.Event]) -> list[Any]:
    return [event for event in project.journal() if isinstance(event, kind)]


def prompt(project: Project, task: str, attempt: int) -> str:
    return (project.session().task_logs / task / f"{attempt}.prompt.md").read_text()


# -- an agent's own task ----------------------------------------------------------------------------------


def test_a_task_that_fails_for_good_is_broken_into_smaller_ones(project: Project) -> None:
    """Its agent is told why, and what the check printed; then the parts are done, and its checks pass."""
    told = run(project, PIECES % 3, BIG)
    assert "big: failed, and is broken into smaller tasks: check" in told
    asked = prompt(project, "big", 3)
    assert "# Break this task into smaller ones" in asked
    assert "is 2" in asked
    [split] = of(project, ev.TaskSplit)
    [failed] = [event for event in of(project, ev.TaskFailed) if event.decompose]
    assert (split.cause, failed.attempt) == (failed.seq, 2)
    started = [event.task for event in of(project, ev.TaskStarted)]
    assert started == ["big", "big", "big", "big.one", "big.two", "big"]
    assert "split off by the agent of" in project.run("show").stdout


def test_an_answer_that_is_none_is_asked_for_again_and_then_refused(project: Project) -> None:
    """As often as the task may be tried; the reason it failed for stays in view, and it happens once."""
    told = run(project, 'tasks.big.steps = [{say = "no"}]\n', BIG, expect=1)
    assert "big: failed: the output does not fit output_schema" in told
    asked = prompt(project, "big", 4)
    assert asked.index("does not fit output_schema") < asked.index("# Why the task itself failed")
    assert "is 2" in asked
    assert [event.attempt for event in of(project, ev.TaskFailed) if event.decompose] == [2]
    assert len(of(project, ev.TaskStarted)) == 4
    project.run("resume", "--failed", expect=1)
    assert len([event for event in of(project, ev.TaskFailed) if event.decompose]) == 1


def test_subtasks_that_cannot_be_are_no_answer(project: Project) -> None:
    """They pass the validator that everybody's tasks pass."""
    script = PIECES % 3
    told = run(project, script.replace('["One"]', '["Three"]'), BIG, expect=1)
    assert 'handed in subtasks that cannot be used: task "big.two" needs "Three"' in told


def test_a_plan_that_takes_no_more_tasks_fails_as_ever(project: Project) -> None:
    """And says why nothing was done about it."""
    project.write({"aca.toml": "[limits]\nmax_added_tasks = 0\n"})
    told = run(project, PIECES % 3, BIG, expect=1)
    assert "failed (not broken up: agents may add 0 tasks to this plan (limits.max_added_tasks)" in told


# -- commands and groups ----------------------------------------------------------------------------------

SCRIPT = 'tasks."*".steps = [{write = "mended", content = "x"}]\n'
COMMAND = '- [ ] Lint {#lint on_failure=decompose run="echo E501 is here; test -f mended"}\n'
GROUP = """\
- [ ] Gate {#lint on_failure=decompose check="echo E501 is here; test -f mended"}
  - [ ] Work {#work run="true"}
"""


@pytest.mark.parametrize("tasks", [COMMAND, GROUP], ids=["command", "group"])
def test_a_gate_that_fails_is_mended_and_asked_again(project: Project, tasks: str) -> None:
    """An agent gets what it printed as a task of its own; what needs the gate waits for both."""
    told = run(project, SCRIPT, tasks + '- [ ] Ship {#ship needs=lint run="true"}\n')
    assert "lint: failed, and lint.mend is to mend it" in told
    assert "E501 is here" in prompt(project, "lint.mend", 1)
    started = [event.task for event in of(project, ev.TaskStarted) if event.task != "work"]
    assert started == ["lint", "lint.mend", "lint", "ship"]
    assert "Mend" in project.run("show", "lint.mend").stdout
    assert 'added because "lint" failed' in project.run("show", "lint.mend").stdout


@pytest.mark.parametrize("tasks", [COMMAND, GROUP], ids=["command", "group"])
def test_what_cannot_be_mended_fails_in_the_end(project: Project, tasks: str) -> None:
    """It is mended once; and a mender that fails takes the gate along."""
    run(project, 'tasks."*".steps = [{say = "done"}]\n', tasks, expect=1)
    assert [event.task for event in of(project, ev.TaskStarted) if event.task != "work"] == [
        "lint", "lint.mend", "lint",
    ]  # fmt: skip
    run(project, 'tasks."*".steps = [{fail = "no", category = "input"}]\n', tasks, expect=1)
    state = project.sessions()[-1].state()
    assert (state.states["lint.mend"].status, state.states["lint"].dead) == ("failed", True)


def test_a_mender_is_known_to_be_needed_before_anything_runs(project: Project) -> None:
    """A plan of commands has no use for a provider, unless one may have to mend them."""
    project.write(
        {"tasks.toml": '[[tasks]]\nid = "a"\ntitle = "A"\nrun = "false"\non_failure = "decompose"\n'}
    )
    told = project.run("run", "tasks.toml", env={"PATH": "/usr/bin:/bin"}, expect=2).stderr
    assert "provider" in told


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("- [ ] Ask {#a kind=approval on_failure=decompose}\n", 'task "a" is an approval'),
        ("- [ ] Group {#a on_failure=decompose}\n  - [ ] B\n", 'task "a" is a group without checks'),
    ],
)
def test_where_it_would_do_nothing_it_is_refused(project: Project, task: str, told: str) -> None:
    """With the line."""
    project.write({"tasks.md": task})
    assert f"tasks.md:1: {told}" in project.run("run", "tasks.md", "--dry-run", expect=2).stderr
