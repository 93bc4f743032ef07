"""Everything in ``task_examples/`` can be planned and run, offline, and does what it says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from aca.core import events as ev
from tests.pages import ROOT
from tests.project import Outcome, Project
from tests.workspaces.checkout import commit, git

EXAMPLES = sorted(path.name for path in (ROOT / "task_examples").iterdir() if path.is_file())
SCRIPTS = [name for name in EXAMPLES if ".replay." in name]
TASK_FILES = [name for name in EXAMPLES if name not in SCRIPTS]

GREETING = """
    [tasks.write-a-greeting]
    steps = [{write = "scratch/rust-plan/greeting.txt", content = "Good morning!\\n"}]
"""


@pytest.fixture
def examples(project: Project) -> Project:
    """A workspace with the examples in it, as in a clone."""
    shutil.copytree(ROOT / "task_examples", project.root / "task_examples")
    return project


def run(project: Project, name: str, *args: str, expect: int = 0) -> Outcome:
    """The example *name*, really run."""
    return project.run("--task-file", f"task_examples/{name}", *args, expect=expect)


def files(directory: Path) -> dict[str, bytes]:
    """Everything below *directory* but what Python caches, by name."""
    found = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in found
        if "__pycache__" not in path.parts
    }


def made(project: Project) -> set[str]:
    """What tasks made, by name, when they keep to their ``scratch`` directory and to nothing else."""
    before = {f"task_examples/{name}": data for name, data in files(ROOT / "task_examples").items()}
    now = {name: data for name, data in files(project.root).items() if not name.startswith(".aca/")}
    assert before.items() <= now.items()
    assert files(project.home) == {}
    assert {path.name for path in project.root.parent.iterdir()} == {"work", "home"}
    return now.keys() - before.keys()


def test_the_quickstart_works_in_a_clone(examples: Project) -> None:
    """In a repository that ignores where it works: nothing could be merged, so it is done in place."""
    git(examples, "init", "--quiet", ".")
    shutil.copy(ROOT / ".gitignore", examples.root)
    commit(examples, "a clone")
    run(examples, "quickstart.md")
    assert (examples.root / "scratch" / "quickstart" / "tally").is_dir()
    assert git(examples, "branch", "--list", "aca/*") == ""


@pytest.mark.parametrize("name", TASK_FILES)
def test_every_example_can_be_planned(examples: Project, name: str) -> None:
    """A dry run ends well, names tasks, and writes nothing."""
    outcome = run(examples, name, "--dry-run")
    assert f"(from task_examples/{name})" in outcome.stdout.splitlines()[0]
    assert made(examples) == set()
    assert not (examples.root / ".aca").exists()


def test_every_example_is_run_below() -> None:
    """A new one needs a test of its own."""
    run_here = {"accounts.md", "notes.txt", "quickstart.md", "release.toml", "rust-plan.json"}
    assert set(TASK_FILES) == run_here
    assert all(name.replace(".replay.toml", ".md") in TASK_FILES for name in SCRIPTS)


def test_the_quickstart_makes_a_program_that_runs(examples: Project) -> None:
    """Six tasks; the first attempt at one is found out by its check; the program draws bars in the end."""
    outcome = run(examples, "quickstart.md")
    assert "6 completed" in outcome.stdout
    assert "replayed: no model was called" in outcome.stdout
    assert "also changed" not in outcome.stdout
    program = {"tally/__init__.py", "tally/__main__.py", "tally/bars.py", "tally/words.py"}
    names = {name.removeprefix("scratch/quickstart/") for name in made(examples)}
    assert names == program | {"tests/test_tally.py"}
    failed = [event for event in examples.journal() if isinstance(event, ev.TaskFailed)]
    assert [(one.task, one.attempt, one.retry) for one in failed] == [("draw", 1, True)]
    log = examples.session().task_logs / "try" / "1.output.log"
    assert "text" in log.read_text()
    assert "#" * 40 in log.read_text()


def test_accounts_waits_for_a_person_and_goes_on(examples: Project) -> None:
    """Rehearsed offline it stops at its approval; answered, it is finished, and its modules work."""
    run(examples, "accounts.md", "--provider", "replay", expect=4)
    examples.run("approve", "look-at-the-code", "--comment", "fine")
    assert "6 completed, 1 skipped" in examples.run("resume").stdout
    names = {name.removeprefix("scratch/accounts/accounts/") for name in made(examples)}
    assert names == {"__init__.py", "users.py", "sessions.py", "limits.py"}
    log = examples.session().task_logs / "sessions" / "1.prompt.md"
    assert "secrets.token_urlsafe" in log.read_text()


def test_release_packs_with_what_is_there(examples: Project) -> None:
    """Commands only: a missing speller is excused, a missing packer has a backup, the archive is read."""
    run(examples, "release.toml")
    assert made(examples) == {"scratch/release/src/answer.py", "scratch/release/answer.zip"}
    state = examples.session().state()
    assert [check.passed for check in state.states["pack"].checks] == [True]
    assert state.spent.tokens == 0


def test_notes_are_done_one_after_the_other(examples: Project) -> None:
    """A numbered list in plain text is an order."""
    run(examples, "notes.txt")
    assert made(examples) == {"scratch/promises.txt"}
    started = [event.task for event in examples.journal() if isinstance(event, ev.TaskStarted)]
    assert started == ["write-down-what-the-service-promises", "read-it-aloud", "count-the-promises"]


def test_the_rust_plan_runs_unchanged(examples: Project) -> None:
    """Its setup comes first, the missing tool is skipped as it says, and its task is done."""
    settings = '[providers.replay]\nscript = "greeting.toml"\n'
    examples.write({"aca.toml": settings, "greeting.toml": GREETING})
    examples.run("--execution-plan", "task_examples/rust-plan.json", "--provider", "replay")
    assert made(examples) == {"aca.toml", "greeting.toml", "scratch/rust-plan/greeting.txt"}
    states = examples.session().state().states
    assert [state.status for state in states.values()] == ["completed", "skipped", "completed"]


def test_a_plan_made_of_an_example_runs_the_same(examples: Project) -> None:
    """Dumped as TOML, and run from there."""
    run(examples, "quickstart.md", "--dry-run", "--dump-plan", "plan.toml")
    examples.run("--execution-plan", "plan.toml", "--jobs", "3")
    assert "scratch/quickstart/tally/__main__.py" in made(examples)
