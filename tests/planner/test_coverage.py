"""No line of a text is lost, whatever the model claims to have made of it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aca import parse
from aca.planner.compose import Bounds, Composed, compose
from aca.planner.coverage import cover, runs
from aca.planner.draft import Draft
from tests.planner.answers import draft, task

SHAPES = ["", "# {}", "## {}", "{}", "- {}", "- [ ] {}", "- [x] {}", "  - [ ] {}", "  {}", "1. {}", "> {}"]
LINES = st.lists(st.sampled_from(SHAPES), min_size=1, max_size=12)


def composed(folder: Path, text: str, made: dict[str, object]) -> Composed:
    path = folder / "text.md"
    path.write_text(text)
    read = parse.read(path, base=folder)
    return compose(read, Draft.model_validate(made), Bounds((), (), may_choose_mode=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("texts")


@given(st.data())
def test_every_line_is_told_to_somebody(folder: Path, data: st.DataObject) -> None:
    """In a title, a description, a context or the description of the plan; what is in no task is named."""
    shapes = data.draw(LINES.filter(lambda lines: any(line.strip() for line in lines)))
    lines = [shape.format(f"word{number}.") for number, shape in enumerate(shapes, 1)]
    number = st.integers(1, len(lines))
    tasks = []
    for index in range(data.draw(st.integers(1, 4))):
        ranges = [
            tuple(sorted((data.draw(number), data.draw(number)))) for _ in range(data.draw(st.integers(0, 2)))
        ]
        parent = data.draw(st.sampled_from([None, *(f"t{above}" for above in range(index))]))
        source = [{"first": min(ends), "last": max(ends)} for ends in ranges]
        tasks.append(task(f"t{index}", parent=parent, source=source))
    found = composed(folder, "\n".join(lines), draft(*tasks))
    assert found.document.problems == []
    told = json.dumps(found.document.data)
    assert [line for n, line in enumerate(lines, 1) if line.strip() and f"word{n}." not in told] == []
    claimed = {n for one in tasks for each in one["source"] for n in range(each["first"], each["last"] + 1)}
    plain = [n for n, line in enumerate(lines, 1) if "word" in line and "[" not in line and "#" not in line]
    if not any("[" in line for line in lines):
        named = {n for one in found.left for n in _numbers(one)}
        assert {n for n in plain if n not in claimed} <= named
        assert not named & claimed


def _numbers(told: str) -> range:
    first, _, last = told.split(":")[1].partition("-")
    return range(int(first), int(last or first) + 1)


def test_what_many_tasks_are_made_of_is_told_once() -> None:
    """To everybody; a line of a group and its part is the part's."""
    owners = [{1, 2}, {1}, {1}, {1}, {1, 3}, {3}]
    found = cover([1, 2, 3, 4], owners, [None, None, None, None, None, 4], [set()] * 6)
    assert found.quoted == [[2], [], [], [], [], [3]]
    assert (found.shared, found.left, found.general) == ([1], [4], [1, 4])


@given(st.sets(st.integers(1, 40)))
def test_runs_are_the_lines_they_are_made_of(lines: set[int]) -> None:
    """As few as it takes, in order."""
    found = runs(lines)
    assert [n for first, last in found for n in range(first, last + 1)] == sorted(lines)
    assert all(later[0] > before[1] + 1 for before, later in itertools.pairwise(found))
