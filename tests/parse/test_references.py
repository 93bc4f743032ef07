"""Files that a task refers to: what is one, how it is found, and how the plan names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aca import parse
from tests.parse.desk import Desk


@pytest.fixture
def shelf(desk: Desk) -> Desk:
    """A workspace with some files to refer to."""
    for name in ("a.md", "sub/b.md", "with space.md", "odd(1).md", "pic.png", "c#.md"):
        desk.write(name, "x")
    return desk


@pytest.mark.parametrize(
    ("text", "refs"),
    [
        ("[t](a.md)", ("a.md",)),
        ("![t](pic.png)", ("pic.png",)),
        ('[t](a.md "title")', ("a.md",)),
        ("[t](<with space.md>)", ("with space.md",)),
        ("[t](with%20space.md)", ("with space.md",)),
        ("[t](odd(1).md)", ("odd(1).md",)),
        ("[t](a.md#part) [u](a.md)", ("a.md",)),
        ("[t](c#.md)", ("c#.md",)),
        ("[t](sub/b.md), [u](a.md)", ("sub/b.md", "a.md")),
        ("[t](./sub/../a.md)", ("a.md",)),
        ("[t](https://example.org/a.md)", ()),
        ("[t](mailto:a@example.org)", ()),
        ("[t](#part) [u]() [v](//host/x)", ()),
        ("`[t](none.md)` and ``a ` [t](none.md)``", ()),
        ("`one` [t](a.md) `two`", ("a.md",)),
    ],
)
@pytest.mark.parametrize("place", ["title", "body"])
def test_links_to_files_are_references(shelf: Desk, text: str, refs: tuple[str, ...], place: str) -> None:
    """In the title and in the body; URLs, anchors and code are left alone."""
    task = shelf.task(f"- [ ] See {text}.\n" if place == "title" else f"- [ ] See\n\n  It is {text}.\n")
    assert task.file_refs == refs
    assert text in task.title + task.description


def test_a_code_span_may_go_over_lines(shelf: Desk) -> None:
    """But not past its paragraph."""
    assert shelf.task("- [ ] x\n  `[t](none.md)\n  more` [t](a.md)\n\n  ` [u](sub/b.md)\n").file_refs == (
        "a.md",
        "sub/b.md",
    )


def test_nothing_in_a_code_block_is_a_reference(shelf: Desk) -> None:
    """Fenced or indented."""
    task = shelf.task("- [ ] x\n  ```\n  [t](none.md)\n  -> none.md\n  ```\n\n      -> none.md\n")
    assert task.file_refs == ()


def test_an_arrow_may_stand_on_a_line_of_its_own(shelf: Desk) -> None:
    """Then all it names are files."""
    assert shelf.task("- [ ] x\n  -> a.md, <with space.md>\n  -> sub/b.md\n").file_refs == (
        "a.md",
        "with space.md",
        "sub/b.md",
    )


def test_prose_hands_its_references_to_the_tasks_under_it(shelf: Desk) -> None:
    """After the task's own, each once; a part of a group gets them from the group."""
    content = "See [x](a.md).\n\n## H\n[y](sub/b.md)\n\n- [ ] one\n  - [ ] part\n- [ ] two -> sub/b.md\n"
    refs = {task.title: task.file_refs for task in shelf.tasks(content)}
    assert refs == {"one": ("a.md", "sub/b.md"), "part": (), "two": ("sub/b.md", "a.md")}


def test_references_are_relative_to_the_file_they_stand_in(shelf: Desk) -> None:
    """And the plan names them relative to the workspace."""
    task = shelf.task("- [ ] x -> b.md -> ../a.md\n", "sub/tasks.md")
    assert task.file_refs == ("sub/b.md", "a.md")


def test_a_file_outside_the_workspace_is_named_in_full(desk: Desk, tmp_path: Path) -> None:
    """There is no way to it from inside."""
    inner = Desk(tmp_path / "inner")
    outer = desk.write("outer.md", "x")
    assert inner.task("- [ ] x -> ../outer.md\n").file_refs == (outer.as_posix(),)


def test_the_workspace_may_be_reached_by_a_link(desk: Desk, tmp_path: Path) -> None:
    """Both names are the same place."""
    real = Desk(tmp_path / "real")
    real.write("a.md", "x")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    path = real.write("tasks.md", "- [ ] x -> a.md\n")
    assert parse.read(path, base=tmp_path / "link").data["tasks"][0]["file_refs"] == ["a.md"]


def test_the_references_of_a_plan_are_relative_to_the_workspace(shelf: Desk) -> None:
    """Wherever the plan file lies; a task file's are relative to it."""
    table = '[[tasks]]\nid = "x"\ntitle = "x"\nfile_refs = ["{}"]\n'
    assert shelf.task("format_version = 1\n" + table.format("a.md"), "sub/plan.toml").file_refs == ("a.md",)
    assert shelf.task(table.format("b.md"), "sub/tasks.toml").file_refs == ("sub/b.md",)


@pytest.mark.parametrize("content", ["---\nproviders: {replay: {script: s.toml}}\n---\n- [ ] x\n"])
def test_a_replay_script_is_relative_to_the_file_too(desk: Desk, content: str) -> None:
    """It need not be there: the provider tells, when it is asked to play it."""
    assert desk.plan(content, "sub/tasks.md").providers["replay"]["script"] == "sub/s.toml"
