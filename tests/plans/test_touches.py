"""Which patterns may mean the same file."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aca.plans.plan import Plan
from aca.plans.touches import MOST, hold, learn, outside, overlap
from tests.core.stories import task

MEET = [
    ("a.py", "a.py"),
    ("a.py", "*.py"),
    ("src/*.py", "src/a*"),
    ("src/**", "src/deep/down/a.py"),
    ("**/test_*.py", "tests/core/test_a.py"),
    ("src/**/a.py", "src/a.py"),
    ("src", "src/a.py"),
    ("src/", "src/**/*.py"),
    ("./a.py", "a.py"),
    ("**", "anything"),
    ("a/**/b", "**/c/b"),
]
APART = [
    ("a.py", "b.py"),
    ("src/*.py", "docs/*.py"),
    ("*.py", "*.md"),
    ("src/*.py", "src/deep/a.py"),
    ("app/models/**", "app/views/**"),
    ("test_*", "bench_*"),
    ("**/a.py", "src/b.py"),
]


@pytest.mark.parametrize(("one", "other"), MEET)
def test_these_may_mean_the_same_file(one: str, other: str) -> None:
    """In either order."""
    assert overlap(one, other)
    assert overlap(other, one)


@pytest.mark.parametrize(("one", "other"), APART)
def test_these_never_do(one: str, other: str) -> None:
    """In either order."""
    assert not overlap(one, other)
    assert not overlap(other, one)


NAMES = st.sampled_from(["a", "b", "ab", "a.py", "b.py"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


@st.composite
def pattern_of(draw: st.DrawFn, path: str) -> str:
    """A pattern that *path* fits: some names of it are replaced by something wilder."""
    names: list[str] = []
    for name in path.split("/"):
        choices = [name, "*", f"{name[0]}*", f"*{name[-1]}", "**", f"?{name[1:]}"]
        names.append(draw(st.sampled_from(choices)))
    return "/".join(names)


@given(data=st.data(), path=PATHS)
def test_two_patterns_of_one_file_always_overlap(data: st.DataObject, path: str) -> None:
    """Whatever stands for what: it may say yes too often, never no."""
    assert overlap(data.draw(pattern_of(path)), data.draw(pattern_of(path)))


def test_a_task_waits_for_the_end_of_one_that_touches_the_same() -> None:
    """One that says nothing waits for nobody."""
    running = [task("x", touches=("src/**",)), task("y")]
    assert hold(task("a", touches=("src/a.py",)), running, {}) == inf
    assert hold(task("a", touches=("docs/*",)), running, {}) is None
    assert hold(task("a"), running, {}) is None
    assert hold(task("a"), running, {"a": ["src/b.py"]}) == inf


def test_what_is_outside() -> None:
    """A task that says nothing may change anything; patterns start where the plan works."""
    a = task("a", touches=("src", "*.md"))
    assert outside(Plan(), a, ["src/a.py", "README.md", "docs/a.md"]) == ["docs/a.md"]
    assert outside(Plan(cwd="app"), a, ["app/src/a.py", "src/a.py", "app/docs/a.md"]) == [
        "src/a.py",
        "app/docs/a.md",
    ]
    assert outside(Plan(), task("b"), ["a"]) == []


@pytest.mark.parametrize("below", ["src/v1.2/a.py", "src/v1.2/**", "src/*/a.py", "src/v1.2/deep/*.py"])
def test_a_directory_with_a_dot_in_its_name_meets_what_is_below_it(below: str) -> None:
    """In either order; a file of that name beside it does not."""
    assert overlap("src/v1.2", below)
    assert overlap(below, "src/v1.2")
    assert not overlap("src/v1.3", "src/v1.2/a.py")


def test_what_was_changed_besides_is_learned() -> None:
    """All of it where nothing is said; of many files the directories; names with brackets mean themselves."""
    plan, says = Plan(cwd="app"), task("a", touches=("*.py",))
    assert learn(plan, says, ["app/a.py", "app/x/[id].ts", "b.txt"]) == ("x/[[]id].ts", "../b.txt")
    assert learn(plan, task("a"), ["app/a.py"]) == ("a.py",)
    assert overlap("x/[[]id].ts", "x")
    many = [f"app/{folder}/{number}" for folder in ("x", "y.z") for number in range(MOST)]
    assert learn(plan, task("a"), many) == ("x/", "y.z/")
    assert learn(plan, task("a"), [f"app/{number}" for number in range(MOST + 1)]) == ("**",)
