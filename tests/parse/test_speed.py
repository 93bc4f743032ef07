"""Large files are read in time that grows with their size only; how fast that is, the benchmarks say."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from tests.parse.desk import Desk

SMALL, LARGE = 2_500, 10_000
MOST = 3.0
"""How much longer than its share of the size the larger one may take: quadratic would be four times."""


def markdown(number: int) -> str:
    needs = f" needs=t{number - 1}" if number else ""
    return f"- [ ] Task {number} of many {{#t{number} priority=3{needs}}} -> a.md\n  `code`, [a](a.md).\n"


def toml(number: int) -> str:
    return f'[[tasks]]\nid = "t{number}"\ntitle = "Task {number}"\nneeds = ["t{max(0, number - 1)}"]\n'


def tasks(count: int) -> str:
    return json.dumps(
        {"tasks": [{"title": f"Task {n}", "needs": ["task-0"] * (n > 0)} for n in range(count)]}
    )


def wrong_plan(count: int) -> str:
    wrong = [{"id": f"t{number}", "title": "T", "wrong": 1} for number in range(count)]
    return json.dumps({"format_version": 1, "tasks": wrong}, indent=1)


CONTENTS: dict[str, Callable[[int], str]] = {
    "t.md": lambda count: "# Many\n\n" + "".join(map(markdown, range(count))),
    "same.md": lambda count: "".join(f"{number % 9}. The same title\n" for number in range(count)),
    "t.txt": lambda count: "".join(f"{number + 1}. Task {number}\n   more\n" for number in range(count)),
    "t.org": lambda count: "".join(f"* TODO Task {number} :a:b:\n  more\n" for number in range(count)),
    "t.toml": lambda count: '[[tasks]]\nid = "t0"\ntitle = "first"\n' + "".join(map(toml, range(1, count))),
    "t.json": tasks,
}


def seconds(work: Callable[[], object]) -> float:
    """Of this process's time, the shortest of two."""
    taken = []
    for _ in range(2):
        before = time.process_time()
        work()
        taken.append(time.process_time() - before)
    return min(taken)


@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_of_many_tasks_takes_no_longer_for_each(desk: Desk, name: str) -> None:
    """From the file to the plan."""
    desk.write("a.md", "x")
    small, large = CONTENTS[name](SMALL), CONTENTS[name](LARGE)
    assert len(desk.plan(large, name).tasks) == LARGE
    each = seconds(lambda: desk.plan(small, name)) / SMALL
    assert seconds(lambda: desk.plan(large, name)) / LARGE < MOST * each


def test_a_place_is_found_quickly_in_a_large_plan(desk: Desk) -> None:
    """Places are looked for once, however many problems there are."""
    small, large = wrong_plan(SMALL), wrong_plan(LARGE)
    assert desk.complaint(large, "plan.json").endswith(f"{LARGE} problems, nothing was run")
    each = seconds(lambda: desk.complaint(small, "plan.json")) / SMALL
    assert seconds(lambda: desk.complaint(large, "plan.json")) / LARGE < MOST * each
