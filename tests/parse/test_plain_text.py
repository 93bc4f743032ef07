"""Plain text and org files."""

from __future__ import annotations

import pytest

from tests.parse.desk import Desk


@pytest.mark.parametrize("marker", ["-", "*", "+", "1.", "2)"])
def test_items_of_a_list_are_tasks(desk: Desk, marker: str) -> None:
    """Whatever the marker; nested items and indented lines are description."""
    one, two = desk.tasks(f"Things to do\n\n{marker} One\n   more\n   - detail\n{marker} Two\n", "t.txt")
    assert (one.title, one.description, two.title) == ("One", "more\n- detail", "Two")


def test_numbered_items_follow_each_other(desk: Desk) -> None:
    """Bullets do not, and a new list begins anew."""
    tasks = desk.tasks("1. a\n2. b\n\nthen\n\n1. c\n2. d\n- e\n", "t.txt")
    assert [task.dependencies for task in tasks] == [(), ("a",), (), ("c",), ()]


def test_text_around_the_list_describes_the_plan(desk: Desk) -> None:
    """Text that is not indented, after an empty line, is no longer part of an item."""
    plan = desk.plan("before\n\n- a\n\n  still a\n\nafter\n", "t.txt")
    assert (plan.name, plan.description, plan.tasks[0].description) == ("t", "before\n\nafter", "still a")


def test_boxes_make_groups_in_plain_text_too(desk: Desk) -> None:
    """Nested by indentation."""
    tasks = desk.tasks("- [x] a\n- [ ] b\n    - [ ] c\n\t- [-] d\n- plain\n", "t.txt")
    assert [(t.title, t.status, t.parent_id) for t in tasks] == [
        ("a", "completed", None),
        ("b", "pending", None),
        ("c", "pending", "b"),
        ("d", "skipped", "b"),
    ]


def test_attributes_and_references_are_the_same_everywhere(desk: Desk) -> None:
    """One grammar."""
    desk.write("a.md", "x")
    task = desk.task("1. Title {#x priority=9} -> a.md\n", "t.txt")
    assert (task.id, task.priority, task.file_refs) == ("x", 9, ("a.md",))


def test_a_fence_in_plain_text_is_code(desk: Desk) -> None:
    """Nothing in it is an item."""
    task = desk.task("- a\n  ```\n  - b\n  ```\n", "t.txt")
    assert task.description == "```\n- b\n```"


def test_prose_is_one_task(desk: Desk) -> None:
    """With its first line as title, whole."""
    task = desk.task("\nRewrite the parser, and make it fast.\n\n  Then rest.\n", "t.txt")
    assert (task.title, task.description) == ("Rewrite the parser, and make it fast.", "Then rest.")


ORG = """\
#+TITLE: ignored
Some words.
* TODO One :db:urgent:
  :PROPERTIES:
  :EFFORT: 1h
  :END:
  Body.
** DONE Part
*** Notes
    Deeper.
* Area
About the area.
** TODO Two {needs=one}
#+begin_src sh
** TODO no
#+end_src
"""


@pytest.mark.parametrize("name", ["t.org", "t.txt", "tasks"])
def test_org_headlines_are_tasks(desk: Desk, name: str) -> None:
    """Nested by their stars, with tags; other headlines are text or context."""
    plan = desk.plan(ORG, name)
    one, part, two = plan.tasks
    assert plan.description == "#+TITLE: ignored\nSome words."
    assert (one.title, one.tags) == ("One", ("db", "urgent"))
    assert one.description == ":PROPERTIES:\n:EFFORT: 1h\n:END:\nBody."
    assert (part.status, part.parent_id) == ("completed", "one")
    assert part.description == "*** Notes\n    Deeper."
    assert (two.context, two.dependencies) == ("* Area\nAbout the area.", ("one",))
    assert two.description == "#+begin_src sh\n** TODO no\n#+end_src"


def test_org_keywords_and_priorities_mean_what_org_means(desk: Desk) -> None:
    """The usual ones and those that the file declares; a title begins behind them."""
    content = """#+TODO: OPEN(o) | CLOSED(c@/!)
* TODO [#A] Write :a:
** OPEN [#C] Part {priority=9}
* WAITING [#B] Look
* CLOSED Read
* CANCELED Never
* [#A] Heading
** NEXT [#C] Do
"""
    told = [(task.title, task.status, task.priority, task.context) for task in desk.tasks(content, "t.org")]
    assert told == [
        ("Write", "pending", 7, ""),
        ("Part", "pending", 9, ""),
        ("Look", "skipped", 5, ""),
        ("Read", "completed", 5, ""),
        ("Never", "skipped", 5, ""),
        ("Do", "pending", 3, "* [#A] Heading"),
    ]


def test_org_that_is_nearly_right_is_told(desk: Desk) -> None:
    """Priorities that mean nothing, and keywords that are not where they belong."""
    lines = (
        "TODO [#9] a",
        "TODO [#a] b",
        "TODO [#A][#B] c",
        "TODO [#D] d",
        "[#A] TODO e",
        "TODO: f",
        "todo g",
    )
    told = desk.complaint("* TODO One\n" + "".join(f"* {line}\n" for line in lines), "t.org")
    assert told.count("this is not quite a priority") == 4
    assert told.count("this headline is not quite a task") == 3
    assert "    8 | * todo g\n          ^^^^ write TODO in capitals" in told


def test_an_org_heading_may_begin_like_a_keyword(desk: Desk) -> None:
    """What has headlines below it was not to be a task."""
    tasks = desk.tasks("* Todo list\n** TODO One\n* Done\n* TODO Two\n", "t.org")
    assert [(task.title, task.context) for task in tasks] == [
        ("One", "* Todo list"),
        ("Two", "* Done"),
    ]


def test_what_waits_in_org_cannot_be_gone_on_without(desk: Desk) -> None:
    """Neither without a part of it, nor without the group it is in; but what waits may need what waits."""
    content = """* WAITING Design
** TODO Sketch
* TODO Release
** HOLD Sign
** TODO Pack
* TODO One {needs=design}
* TODO Two {needs=sketch}
* TODO Three {needs=release}
* HOLD Four {needs=design}
* TODO Five {needs=pack}
"""
    told = desk.complaint(content, "t.org").splitlines()
    wrong = [(6, "one", "design"), (7, "two", "sketch"), (8, "three", "release")]
    assert told[::3] == [
        *(f't.org:{line}: task "{task}" needs "{need}", which waits' for line, task, need in wrong),
        "3 problems, nothing was run",
    ]
    assert told[2].endswith("^^^^^^ let this one wait, too, or write TODO, DONE or CANCELLED there")
    sound = content.replace("WAITING", "CANCELLED").replace("HOLD Sign", "DONE Sign")
    done = {task.id: task.status for task in desk.tasks(sound, "t.org")}
    assert (done["design"], done["sketch"], done["one"]) == ("skipped", "skipped", "pending")


def test_what_is_a_comment_in_org_is_not_there(desk: Desk) -> None:
    """With all below it, text and code, whether it has a keyword or not."""
    content = """* TODO COMMENT One
  Words.
** TODO Part
* COMMENT Ideas
#+begin_src sh
* TODO Code
#+end_src
** TODO [#A] COMMENT Other
* TODO Two
** COMMENT Hidden
   Words.
** TODO COMMENTARY
"""
    plan = desk.plan(content, "t.org")
    assert [(task.title, task.description) for task in plan.tasks] == [("Two", ""), ("COMMENTARY", "")]
    assert (plan.description, plan.tasks[1].parent_id) == ("", "two")


def test_what_an_org_file_declares_goes_before_what_is_usual(desk: Desk) -> None:
    """``HOLD`` waits and ``CANCELLED`` is called off also where the file has to declare them."""
    content = "#+TODO: TODO HOLD DONE | FIXED CANCELLED\n" + "".join(
        f"* {word} Title\n" for word in ("TODO", "HOLD", "DONE", "FIXED", "CANCELLED")
    )
    assert [task.status for task in desk.tasks(content, "t.org")] == [
        "pending",
        "skipped",
        "pending",
        "completed",
        "skipped",
    ]


def test_an_org_file_without_keywords_is_read_as_text(desk: Desk) -> None:
    """Its headlines are a list."""
    assert [task.title for task in desk.tasks("* One\n  more\n* Two\n", "t.org")] == ["One", "Two"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("# Title\n\n- a\n", "markdown"),
        ("- [ ] a\n", "markdown"),
        ("---\nname: x\n---\n- a\n", "markdown"),
        ("- a\n", "text"),
        ("just words\n", "text"),
        ("# a comment\n[[tasks]]\ntitle = 'a'\n", "toml"),
        ("name = 'x'\n[[tasks]]\ntitle = 'a'\n", "toml"),
        ('{"tasks": [{"title": "a"}]}', "json"),
    ],
)
@pytest.mark.parametrize("name", ["TASKS", "tasks.unknown"])
def test_without_a_known_ending_the_content_decides(desk: Desk, content: str, kind: str, name: str) -> None:
    """Any file may be given."""
    desk.write(name, content)
    assert desk.read(name).format == kind
