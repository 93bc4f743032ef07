"""Every mistake in a file has its own message, with line and caret, word for word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aca import parse
from aca.errors import Exit, InputError
from tests.parse.desk import Desk

TABLE = (Path(__file__).parent / "complaints.txt").read_text(encoding="utf-8")
"""Blocks of "=== name of the file", its content, "=>", what the user is told."""


def rows() -> list[tuple[str, str, str]]:
    found = []
    for block in TABLE.removeprefix("=== ").split("\n\n=== "):
        name, _, rest = block.partition("\n")
        content, _, told = rest.partition("\n=>\n")
        found.append((name, content, told.rstrip()))
    return found


@pytest.mark.parametrize(("name", "content", "told"), rows())
def test_a_mistake_is_told_where_it_is(desk: Desk, name: str, content: str, told: str) -> None:
    """What happened, where in the file, what to do."""
    desk.write("specs/login.md", "x")
    assert desk.complaint(f"{content}\n", name) == f"{told}\n1 problem, nothing was run"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.md", "", "t.md: this file is empty, it has no tasks"),
        ("t.md", " \n\n", "t.md: this file is empty, it has no tasks"),
        (
            "t.yaml",
            "- a",
            "t.yaml: YAML task files are not read\n   write Markdown, TOML, JSON or plain text",
        ),
        (
            "t.md",
            b"- [ ] a\n- [ ] \xff\n",
            "t.md:2: this is not UTF-8: byte 0xff at offset 14\n   save it as UTF-8",
        ),
        (
            "t.md",
            b"\xff\xfe-\x00 \x00[\x00 \x00]\x00 \x00a\x00",
            "t.md:1: this is not UTF-8: byte 0xff at offset 0\n   it looks like UTF-16; save it as UTF-8",
        ),
        ("t.md", "- [ ] a\n\x00", "t.md:2: this is not a text file: it contains a NUL byte"),
        (
            "t.toml",
            'name = \n[[tasks]]\ntitle = "A"\n',
            "t.toml:1: this is not TOML: invalid value\n    1 | name = \n               ^",
        ),
        (
            "t.md",
            "+++\nname = \n+++\n- a\n",
            "t.md:2: this is not TOML: invalid value\n    2 | name = \n               ^",
        ),
    ],
)
def test_what_cannot_be_read_as_text_is_told_too(
    desk: Desk, name: str, content: str | bytes, told: str
) -> None:
    """Nothing in it, or nothing that is text."""
    assert desk.complaint(content, name) == f"{told}\n1 problem, nothing was run"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.json", '{"tasks":' + "[" * 100_000, "this is nested too deeply"),
        ("t.json", '{"a": ' + "9" * 5000 + "}", "this holds a number that is too large"),
        ("t.toml", "retries = 0x" + "f" * 4000, "this number is too large"),
        ("t.toml", "retries = " + "9" * 5000, "this holds a number that is too large"),
        ("t.toml", "#" * 130 + "\nretries = " + "9" * 500, "this number is too large"),
        ("t.toml", "a = " + "[" * 100_000, "this is nested too deeply"),
        ("t.md", "---\na: " + "[" * 10_000 + "\n---\n- a\n", "this is nested too deeply"),
        ("t.md", "---\nretries: 0x" + "f" * 4000 + "\n---\n- a\n", "this number is too large"),
        (
            "t.json",
            '{"providers": {"x": ' + '{"a":' * 600 + "1" + "}" * 602,
            "providers.x.a.a.a.a.a.a.a.a.a.a… is nested too deeply",
        ),
    ],
)
def test_what_is_out_of_all_proportion_is_refused(desk: Desk, name: str, content: str, told: str) -> None:
    """Depth and digits are no way to crash."""
    assert told in desk.complaint(content, name)


def test_a_very_long_line_is_shown_around_the_place(desk: Desk) -> None:
    """A plan may be written on one line."""
    tasks = ", ".join(f'{{"id": "t{n}", "title": "T"}}' for n in range(500))
    told = desk.complaint(
        f'{{"format_version": 1, "tasks": [{tasks}, {{"id": "z", "title": "T", "nedds": []}}]}}', "p.json"
    )
    line, caret = told.split("\n")[1:3]
    assert line.startswith("    1 | …")
    assert len(line) < 200
    assert line[caret.index("^") : caret.rindex("^") + 1] == '"nedds"'.strip('"')


def test_two_mistakes_in_one_value_hide_no_other(desk: Desk) -> None:
    """The second one of them shows only when the first is gone."""
    told = desk.complaint(
        """\
        [[tasks]]
        title = "A"
        run = "true"
        env = {A = 1, "B=C" = "x"}
        [[tasks]]
        title = "B"
        needs = "nobody"
        """,
        "tasks.toml",
    )
    heads = [line for line in told.split("\n") if line.startswith("tasks.toml:")]
    assert heads == [
        'tasks.toml:4: task "a": env.A should be text, not 1',
        'tasks.toml:7: task "b" needs "nobody", which is not in this plan',
    ]


def test_all_problems_are_told_at_once_in_order(desk: Desk) -> None:
    """Syntax, unknown keys, wrong values, unknown names, missing files, cycles."""
    content = """---
retrys: 3
---
- [ ] A {#a needs=b priority=99}
- [ ] B {#b needs=a}
- [ ] C {#c needs=x}
- [ ] D {#d
- [ ] E -> none.md
- [ ] F {#c}
"""
    told = desk.complaint(content).split("\n")
    heads = [line for line in told if line.startswith("tasks.md:")]
    assert heads == [
        'tasks.md:2: unknown key "retrys"',
        "tasks.md:4: these tasks wait for each other: a -> b -> a",
        'tasks.md:4: task "a": priority should be at most 10, not 99',
        'tasks.md:6: task "c" needs "x", which is not in this plan',
        "tasks.md:7: this attribute list is not closed",
        'tasks.md:8: there is no file "none.md"',
        'tasks.md:9: two tasks have the id "c": lines 6 and 9',
    ]
    assert told[-1] == "7 problems, nothing was run"


@pytest.mark.parametrize(
    ("name", "content", "heads"),
    [
        (
            "t.toml",
            """[[tasks]]
id = "a"
[[tasks]]
title = "B"
needs = [7, "nobody", "a"]
[[tasks]]
id = 5
title = "C"
prority = 3
[[tasks]]
id = "d"
title = "D"
needs = ["e", "C"]
[[tasks]]
id = "e"
title = "E"
needs = ["d"]
""",
            [
                '1: task "a": title is missing',
                '5: task "b": dependencies[0] should be text, not 7',
                '5: task "b" needs "nobody", which is not in this plan',
                "7: task 3: id should be text, not 5",
                '9: task 3: unknown key "prority"',
                "13: these tasks wait for each other: d -> e -> d",
            ],
        ),
        (
            "t.json",
            """{"tasks": ["first",
{"id": "a", "title": "A", "needs": ["first", "nobody"]},
17,
{"id": "a", "title": "B"},
{"title": 4, "kind": "command"}]}
""",
            [
                '1: task 1 should be a table, not "first"',
                '2: task "a" needs "nobody", which is not in this plan',
                "3: task 3 should be a table, not 17",
                '4: two tasks have the id "a": lines 2 and 4',
                '5: task "4": title should be text, not 4',
                '5: task "4" is a command without one',
            ],
        ),
        (
            "t.md",
            "- [ ] A {#a first needs=b prio=3 .x %%}\n- [ ] B {#b needs=lost kind=robot\n",
            [
                "1: `first` is not an attribute",
                '1: task "a": unknown key "prio"',
                "1: `%%` is not an attribute",
                "2: this attribute list is not closed",
                '2: task "b" needs "lost", which is not in this plan',
                '2: task "b": kind should be agent, command or approval, not "robot"',
            ],
        ),
    ],
)
def test_no_mistake_hides_another(desk: Desk, name: str, content: str, heads: list[str]) -> None:
    """Not even where it is open what a task is called, or where a list of attributes ends."""
    told = desk.complaint(content, name).split("\n")
    places = [line.removeprefix(f"{name}:") for line in told if line.startswith(f"{name}:")]
    assert sorted(places) == sorted(heads)


@pytest.mark.parametrize("begin", ["[ ]Add", "[  ] Add", "[x]Add", "[ x ] Add", "[]", "[✓] Add", "[*] Add"])
def test_what_is_nearly_a_box_is_not_passed_over(desk: Desk, begin: str) -> None:
    """Its item would be no task."""
    assert "t.md:2: this is not quite a box" in desk.complaint(f"- [ ] One\n- {begin}\n", "t.md")


@pytest.mark.parametrize("name", ["t.md", "t.txt"])
def test_a_task_that_is_written_nearly_rightly_is_told(desk: Desk, name: str) -> None:
    """A box outside of a list would be text of the task above, attributes amid a line part of a title."""
    told = desk.complaint(
        "- [ ] One {#one run=ls}\n-[ ] Two {run=ls}\n\n[ ] Three\n\n"
        "- [ ] Four {#four needs=one} and more\n- [ ] Five {needs=four parent=five #five}\n",
        name,
    )
    for line, what in (
        (2, "this box is in no list"),
        (4, "this box is in no list"),
        (6, "attributes stand at the end of the line"),
        (7, "five is its own parent"),
    ):
        assert f"{name}:{line}: {what}" in told
    assert "        ^^^^ write `- [ ] Title`" in told
    assert told.endswith("\n4 problems, nothing was run")


def test_what_only_looks_like_attributes_or_a_box_is_text(desk: Desk) -> None:
    """Braces and brackets of other languages, whatever is quoted, and code."""
    titles = ["Style {.button} as {id=x} now", "Say `{run=ls}` there", "Call {x=3} so", "[…] and so on"]
    below = "  `[ ] this` is a box, [x](a.md) a link\n  ```\n  [ ] code\n  ```\n"
    desk.write("a.md", "x")
    text = "".join(f"- [ ] {title}\n" for title in titles) + below + "- […] quoted\n"
    assert [task.title for task in desk.tasks(text)] == titles


@pytest.mark.parametrize("text", ["[X]-ray support", "[]string is a list", "[x](a.md) is read", "[-]: no"])
def test_brackets_that_are_no_box_are_text(desk: Desk, text: str) -> None:
    """Where a word, a link or a sign goes on."""
    desk.write("a.md", "x")
    assert [task.title for task in desk.tasks(f"- [ ] One\n- {text}\n")] == ["One"]


def test_a_number_for_an_id_hides_nothing_but_needs_of_it(desk: Desk) -> None:
    """What else is wrong and has this word in it is told."""
    told = desk.complaint(
        'execution_mode = "sequential"\nmax_concurrent_tasks = 5\n'
        '[[tasks]]\ntitle = "A"\nid = 5\n[[tasks]]\ntitle = "B"\nneeds = ["5"]\n',
        "t.toml",
    )
    assert "t.toml:2: sequential runs one task at a time, not 5" in told
    assert "2 problems" in told


def test_one_mistake_is_told_once(desk: Desk) -> None:
    """Not again by what comes of it, nor for every task it would go to."""
    assert desk.complaint(
        '[[tasks]]\nid = 3\ntitle = "A"\n[[tasks]]\ntitle = "B"\nneeds = ["A"]\n', "t.toml"
    ).endswith("\n1 problem, nothing was run")
    told = desk.complaint('[[tasks]]\nid = 3\ntitle = ""\n[[tasks]]\ntitle = "B"\nneeds = ["b"]\n', "t.toml")
    assert told.endswith("\n3 problems, nothing was run")
    assert desk.complaint("- [ ] a {run=x kind=comand}\n").endswith("\n1 problem, nothing was run")
    assert desk.complaint("---\nchecks: [3]\n---\n- a\n- b\n").endswith("\n1 problem, nothing was run")


def test_a_missing_file_names_the_nearest_one(desk: Desk) -> None:
    """It is often a slip of the finger."""
    desk.write("tasks.md", "- a")
    with pytest.raises(InputError) as caught:
        desk.read("task.md")
    assert str(caught.value.problems[0]) == (
        f'{desk.root / "task.md"}: there is no such file\n   did you mean "tasks.md"?'
    )
    assert caught.value.exit_code == Exit.USAGE


def test_a_directory_is_no_file(desk: Desk) -> None:
    """It is told so."""
    with pytest.raises(InputError, match="this is a directory"):
        parse.read(desk.root, base=desk.root)


def test_a_file_that_leads_nowhere_is_refused(desk: Desk) -> None:
    """With what the system says."""
    (desk.root / "loop.md").symlink_to(desk.root / "loop.md")
    with pytest.raises(InputError, match=r"this file cannot be read: .*symbolic links"):
        desk.read("loop.md")


def test_a_file_that_may_not_be_read_is_refused(desk: Desk) -> None:
    """Root may read everything, so for this it becomes nobody."""
    desk.write("tasks.md", "- a").chmod(0)
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(InputError, match=r"tasks\.md: this file may not be read"):
            desk.read("tasks.md")
    finally:
        os.seteuid(me)


def test_a_name_that_cannot_be_is_refused(desk: Desk) -> None:
    """No file can have it."""
    with pytest.raises(InputError, match="cannot be the name of a file"):
        parse.read(Path("a\0b"), base=desk.root)


def test_a_file_that_is_too_large_is_refused(desk: Desk) -> None:
    """Before it is read whole."""
    with (desk.root / "big.md").open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)
    with pytest.raises(InputError, match="larger than 64 MB"):
        desk.read("big.md")


def test_an_endless_device_is_refused(desk: Desk) -> None:
    """It is larger than any file."""
    with pytest.raises(InputError, match="larger than 64 MB"):
        parse.read(Path("/dev/zero"), base=desk.root)


def test_settings_have_no_tasks(desk: Desk) -> None:
    """They would be lost."""
    document = parse.read_settings(
        desk.write("aca.toml", "model = 'x'\n[[tasks]]\ntitle = 'a'\n"), base=desk.root
    )
    assert [(problem.line, problem.message) for problem in document.problems] == [
        (2, "settings have no tasks")
    ]


def test_control_characters_of_a_file_do_not_reach_the_terminal(desk: Desk) -> None:
    """A line of the file is shown, and nothing in it can move the cursor."""
    assert "\x1b" not in desk.complaint("- [ ] a\x1b[2J {#a needs=x\x1b[0m}\n")
