"""Ids made of titles."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aca.plans.values import slug
from tests.parse.desk import Desk


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Set up the project", "set-up-the-project"),
        ("  Fix `foo_bar()`, now!  ", "fix-foo-bar-now"),
        ("See [the policy](specs/limits.md)", "see-the-policy"),
        ("Größe prüfen", "größe-prüfen"),
        ("数据库 迁移", "数据库-迁移"),
        ("Cafe\u0301", "café"),
        ("***", ""),
        ("a" * 70, "a" * 60),
        ("word " * 20, "word-word-word-word-word-word-word-word-word-word-word-word"),
    ],
)
def test_a_slug_is_the_letters_and_digits_of_the_title(title: str, expected: str) -> None:
    """In lower case, with dashes, cut at a word."""
    assert slug(title) == expected


@given(st.text())
def test_every_slug_can_be_an_id(title: str) -> None:
    """Or is empty."""
    assert re.fullmatch(r"|\w[\w.-]{0,59}", slug(title))


def test_titles_that_are_alike_get_what_is_above_them(desk: Desk) -> None:
    """Parent or heading, so that their order does not matter."""
    content = "- [ ] Log in {#login}\n  - [ ] Test\n- [ ] Pay\n  - [ ] Test\n\n## Docs\n- [ ] Test\n"
    assert [task.id for task in desk.tasks(content)] == [
        "login",
        "login-test",
        "pay",
        "pay-test",
        "docs-test",
    ]


def test_the_order_of_tasks_does_not_change_their_ids(desk: Desk) -> None:
    """Whichever comes first."""
    blocks = ["- [ ] A\n  - [ ] Test\n", "- [ ] B\n  - [ ] Test\n", "- [ ] C\n"]
    ids = {task.id for task in desk.tasks("".join(blocks))}
    assert {task.id for task in desk.tasks("".join(reversed(blocks)))} == ids


def test_what_is_still_alike_is_numbered(desk: Desk) -> None:
    """In file order."""
    assert [task.id for task in desk.tasks("- Same\n- Same\n- Same\n- !!!\n")] == [
        "same",
        "same-2",
        "same-3",
        "task-4",
    ]


def test_ids_people_gave_are_never_changed(desk: Desk) -> None:
    """Made ones give way."""
    tasks = desk.tasks("- [ ] Build\n- [ ] Other {#build}\n- [ ] Third {needs=build}\n")
    assert [task.id for task in tasks] == ["build-2", "build", "third"]
    assert tasks[2].dependencies == ("build",)


def test_long_names_of_parts_stay_ids(desk: Desk) -> None:
    """Also with the name of their group in front."""
    long = "word " * 30
    tasks = desk.tasks(f"- [ ] {long}\n  - [ ] {long}\n  - [ ] {long}\n")
    assert len({task.id for task in tasks}) == 3
    assert all(len(task.id) <= 110 for task in tasks)
