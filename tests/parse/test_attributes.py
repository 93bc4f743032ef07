"""The first line of a task: attribute lists and arrows, and braces and arrows that are only text."""

from __future__ import annotations

from typing import Any

import pytest

from tests.parse.desk import Desk


@pytest.mark.parametrize(
    ("written", "key", "value"),
    [
        ("priority=8", "priority", 8),
        ("priority=high", "priority", 7),
        ("complexity=3", "estimated_complexity", 3),
        ("estimated_complexity=3", "estimated_complexity", 3),
        ("touches='a/** b/**'", "touches", ("a/**", "b/**")),
        ("touches=a,b", "touches", ("a", "b")),
        ('touches="a/{b,c}.py, d"', "touches", ("a/{b,c}.py", "d")),
        ("touches=a touches=b", "touches", ("a", "b")),
        (".urgent .db", "tags", ("urgent", "db")),
        ("tags=x .y", "tags", ("x", "y")),
        ("timeout=1h30m", "timeout", 5400.0),
        ("retries=0", "retries", 0),
        ('run="echo {x} \\"y\\""', "command", 'echo {x} "y"'),
        ("run='a\\b'", "command", "a\\b"),
        ("env.PORT=80 env.HOST=h", "env", {"PORT": "80", "HOST": "h"}),
        ("model=opus,", "model", "opus"),
        ("cwd=sub/dir", "cwd", "sub/dir"),
        ("on_failure=skip", "on_failure", "skip"),
        ("id=my.own-id", "id", "my.own-id"),
        ("#own", "id", "own"),
        ("status=completed", "status", "completed"),
    ],
)
def test_an_attribute_sets_a_key_of_the_task(desk: Desk, written: str, key: str, value: Any) -> None:
    """In the ways people write it; the title is what is left."""
    task = desk.task(f"- [ ] Do it {{{written}}}\n")
    assert (task.title, getattr(task, key)) == ("Do it", value)


def test_every_check_is_one(desk: Desk) -> None:
    """Commands hold spaces and commas, so they are never split."""
    task = desk.task("- [ ] x {check=\"a b, c\" check='d'}\n")
    assert [check.run for check in task.checks] == ["a b, c", "d"]


def test_a_command_makes_the_task_a_command(desk: Desk) -> None:
    """Unless it says otherwise."""
    assert desk.task('- [ ] x {command="make"}\n').kind == "command"


@pytest.mark.parametrize(
    "needs",
    [
        "one,two",
        '"one two"',
        '"One,Second one"',
        'one needs="second ONE"',
        '"one, Second one"',
        'two depends_on="One"',
    ],
)
def test_needs_are_ids_or_titles(desk: Desk, needs: str) -> None:
    """Several of them with commas, spaces, or each for itself; titles in any case."""
    tasks = desk.tasks(f"- [ ] One\n- [ ] Second one {{#two}}\n- [ ] Third {{needs={needs}}}\n")
    assert sorted(tasks[2].dependencies) == ["one", "two"]


@pytest.mark.parametrize(
    "title",
    [
        "Replace {name} in templates",
        "Write ${HOME=x} out {}",
        "Use `{#id}`",
        "Parse `{a=b}`",
        "Make {a=b} work",
        "Accept {curly}",
        'Answer {"status": "ok"}',
        "Answer {id: 5, name: x}",
        "Take {user: x, role: admin}",
        "Map a -> b",
        "Go from 2.7 -> 3.8",
        "Rename `a.py` -> `b.py`",
        "Link -> https://example.org/x.md",
        "A -> b and then c.md",
        "x->y.md",
    ],
)
def test_other_braces_and_arrows_are_text(desk: Desk, title: str) -> None:
    """Only what can be meant as attributes or a file is taken as such."""
    task = desk.task(f"- [ ] {title}\n")
    assert (task.title, task.file_refs, task.id) == (title, (), task.id)


@pytest.mark.parametrize(
    "end",
    [
        "{kind: approval}",
        "{id: x, needs: y}",
        '{"run": "x"}',
        "{'env' : {A: b}}",
        "{run: x} {#id}",
        "{#id} {run: x}",
    ],
)
def test_what_is_meant_as_attributes_is_not_taken_for_text(desk: Desk, end: str) -> None:
    """Whatever key of a task it has, as YAML or as JSON, in front of a list or behind one."""
    assert "t.md:1: attributes are not written with colons" in desk.complaint(f"- [ ] A {end}\n", "t.md")


@pytest.mark.parametrize(
    "end",
    [
        "{#x} -> a.md -> sub/b.md",
        "-> a.md -> sub/b.md {#x}",
        "-> a.md, sub/b.md {#x}",
        "-> a.md {#x} -> sub/b.md",
        '{#x file_refs="a.md sub/b.md"}',
        "-> <a.md> -> <sub/b.md> {#x}",
        "-> ./a.md#part -> sub/../sub/b.md {#x}",
    ],
)
def test_arrows_and_attributes_come_in_any_order(desk: Desk, end: str) -> None:
    """At the end of the line."""
    desk.write("a.md", "x")
    desk.write("sub/b.md", "x")
    task = desk.task(f"- [ ] Title {end}\n")
    assert (task.title, task.id, task.file_refs) == ("Title", "x", ("a.md", "sub/b.md"))


def test_a_plain_word_after_an_arrow_is_a_file_if_there_is_one(desk: Desk) -> None:
    """``foo -> bar`` is prose where there is no ``bar``."""
    desk.write("LICENSE", "x")
    task = desk.task("- [ ] Check -> LICENSE\n")
    assert (task.title, task.file_refs) == ("Check", ("LICENSE",))
