"""What a large file takes grows with its size only. Calls are counted; of seconds the benchmarks tell."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest

from tests.parse.desk import Desk

SMALL, LARGE = 100, 800
MOST = 1.3
"""How many more calls for each task the larger one may take: quadratic would be eight times as many."""


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


def calls(work: Callable[[], object]) -> int:
    """How many functions are called meanwhile, those written in C included."""
    count = 0

    def seen(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    work()  # what is needed only once is there then
    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_of_many_tasks_takes_no_more_for_each(desk: Desk, name: str) -> None:
    """From the file to the plan."""
    desk.write("a.md", "x")
    small, large = CONTENTS[name](SMALL), CONTENTS[name](LARGE)
    assert len(desk.plan(large, name).tasks) == LARGE
    each = calls(lambda: desk.plan(small, name)) / SMALL
    assert calls(lambda: desk.plan(large, name)) / LARGE < MOST * each


def test_a_place_is_found_quickly_in_a_large_plan(desk: Desk) -> None:
    """Places are looked for once, however many problems there are."""
    small, large = wrong_plan(SMALL), wrong_plan(LARGE)
    assert desk.complaint(large, "plan.json").endswith(f"{LARGE} problems, nothing was run")
    each = calls(lambda: desk.complaint(small, "plan.json")) / SMALL
    assert calls(lambda: desk.complaint(large, "plan.json")) / LARGE < MOST * each
