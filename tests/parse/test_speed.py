"""Large files are read in no time, and in time that grows with their size only."""

from __future__ import annotations

import json
import time

import pytest

from tests.parse.desk import Desk

COUNT = 10_000


def markdown(number: int) -> str:
    needs = f" needs=t{number - 1}" if number else ""
    return f"- [ ] Task {number} of many {{#t{number} priority=3{needs}}} -> a.md\n  `code`, [a](a.md).\n"


def toml(number: int) -> str:
    return f'[[tasks]]\nid = "t{number}"\ntitle = "Task {number}"\nneeds = ["t{max(0, number - 1)}"]\n'


CONTENTS = {
    "t.md": "# Many\n\n" + "".join(map(markdown, range(COUNT))),
    "same.md": "".join(f"{number % 9}. The same title\n" for number in range(COUNT)),
    "t.txt": "".join(f"{number + 1}. Task {number}\n   more\n" for number in range(COUNT)),
    "t.org": "".join(f"* TODO Task {number} :a:b:\n  more\n" for number in range(COUNT)),
    "t.toml": '[[tasks]]\nid = "t0"\ntitle = "first"\n' + "".join(map(toml, range(1, COUNT))),
    "t.json": json.dumps(
        {"tasks": [{"title": f"Task {n}", "needs": ["task-0"] * (n > 0)} for n in range(COUNT)]}
    ),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_ten_thousand_tasks_take_less_than_two_seconds(desk: Desk, name: str) -> None:
    """Of this process's time, from the file to the plan."""
    desk.write("a.md", "x")
    before = time.process_time()
    plan = desk.plan(CONTENTS[name], name)
    assert time.process_time() - before < 2
    assert len(plan.tasks) == COUNT


def test_a_place_is_found_quickly_in_a_large_plan(desk: Desk) -> None:
    """Places are looked for once, however many problems there are."""
    tasks = [{"id": f"t{number}", "title": "T", "wrong": 1} for number in range(COUNT)]
    content = json.dumps({"format_version": 1, "tasks": tasks}, indent=1)
    before = time.process_time()
    told = desk.complaint(content, "plan.json")
    assert time.process_time() - before < 4
    assert told.endswith(f"{COUNT} problems, nothing was run")
