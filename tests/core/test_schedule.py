"""Each factor of the choice, in a situation in which it alone decides."""

from __future__ import annotations

import pytest

from aca.core.schedule import LOOKAHEAD, choose
from aca.plans.plan import Mode, Plan
from tests.core.stories import Story, task


def order(path: object, mode: Mode, *tasks: object, parallel: int = 1) -> list[str]:
    from pathlib import Path

    plan = Plan(tasks=tasks, execution_mode=mode, max_concurrent_tasks=parallel)  # type: ignore[arg-type]
    story = Story(Path(str(path)) / "journal.jsonl", plan)
    story.run()
    return story.started()


MODES: list[Mode] = ["sequential", "parallel", "intelligent"]


@pytest.mark.parametrize("mode", MODES)
def test_higher_priority_goes_first(tmp_path: object, mode: Mode) -> None:
    """Priorities 1, 9, 5 run 9, 5, 1, in every mode."""
    tasks = [task("one", priority=1), task("nine", priority=9), task("five", priority=5)]
    assert order(tmp_path, mode, *tasks) == ["nine", "five", "one"]


@pytest.mark.parametrize("mode", MODES)
def test_what_is_needed_goes_before_what_is_urgent(tmp_path: object, mode: Mode) -> None:
    """A dependency is stronger than any priority."""
    tasks = [task("urgent", priority=10, dependencies=("needed",)), task("needed", priority=0)]
    assert order(tmp_path, mode, *tasks) == ["needed", "urgent"]


@pytest.mark.parametrize("mode", MODES)
def test_file_order_decides_where_nothing_else_does(tmp_path: object, mode: Mode) -> None:
    """Equal tasks run as they were written."""
    assert order(tmp_path, mode, task("b"), task("a"), task("c")) == ["b", "a", "c"]


def test_the_critical_path_decides_among_equal_priorities(tmp_path: object) -> None:
    """What most work waits for goes first; only the intelligent mode looks that far."""
    tasks = [task("short"), task("long"), task("next", dependencies=("long",))]
    assert order(tmp_path, "intelligent", *tasks) == ["long", "short", "next"]
    (other := __import__("pathlib").Path(str(tmp_path)) / "other").mkdir()
    assert order(other, "parallel", *tasks) == ["short", "long", "next"]


def test_affinity_prefers_the_files_of_the_latest_work() -> None:
    """Of equal tasks, the one touching what was just touched is next."""
    ready = [task("far", touches=("docs/**",)), task("near", touches=("app/models/**",))]
    recent = [task("earlier", touches=("docs/a.md",)), task("latest", touches=("app/models/user.py",))]
    assert choose(ready, recent, []).id == "near"
    assert choose(ready, recent[:1], []).id == "far"


def test_affinity_counts_referenced_files() -> None:
    """Sharing a specification is sharing context."""
    ready = [task("other"), task("same", file_refs=("specs/login.md",))]
    assert choose(ready, [task("latest", file_refs=("specs/login.md",))], []).id == "same"


def test_work_spreads_over_repositories_that_are_idle() -> None:
    """The repository with fewer running tasks gets the next one."""
    ready = [task("a2", repository_refs=("a",)), task("b1", repository_refs=("b",))]
    assert choose(ready, [], [task("a1", repository_refs=("a",))]).id == "b1"


def test_work_alternates_between_repositories(tmp_path: object) -> None:
    """With one task at a time, the repository left alone longest is next."""
    tasks = [task(f"{repo}{number}", repository_refs=(repo,)) for repo in "ab" for number in (1, 2)]
    assert order(tmp_path, "intelligent", *tasks) == ["a1", "b1", "a2", "b2"]


def test_a_choice_costs_the_same_among_many(tmp_path: object) -> None:
    """Only a window of equal tasks is compared, and all of them run all the same."""
    tasks = [task(f"t{number}") for number in range(3 * LOOKAHEAD)]
    assert sorted(order(tmp_path, "intelligent", *tasks)) == sorted(one.id for one in tasks)
