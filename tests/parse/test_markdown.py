"""Markdown task files: which lines are tasks, and what becomes of all the others."""

from __future__ import annotations

import pytest

from tests.parse.desk import Desk

EXAMPLE = """\
---
name: Accounts
provider: claude-cli
max_concurrent_tasks: 3
checks: ["pytest -q"]
roles: {backend: {system_prompt: You know SQL.}}
---
# Backend
Everything below lives in `app/`.

- [x] Set up the project
- [ ] Create the user model {#user-model priority=8 touches="app/models/**"}
  Use SQLAlchemy 2 style. More lines belong to the task, code fences too.
- [ ] Log in and log out {#login needs=user-model role=backend check="pytest tests/login"} -> specs/login.md
  - [ ] Endpoint
  - [ ] Rate limit, see [the policy](specs/limits.md)
- [ ] Run the linter {run="ruff check ."}
- [ ] Look at the API before we go on {kind=approval needs=login}
"""


def test_the_example_of_the_documentation_reads_as_it_says(desk: Desk) -> None:
    """One file with every feature in it."""
    desk.write("specs/login.md", "x")
    desk.write("specs/limits.md", "x")
    plan = desk.plan(EXAMPLE)
    assert (plan.name, plan.execution_mode, plan.max_concurrent_tasks) == ("Accounts", "parallel", 3)
    assert plan.description == "# Backend\nEverything below lives in `app/`."
    setup, model, login, endpoint, rate, linter, look = plan.tasks
    assert (setup.id, setup.status) == ("set-up-the-project", "completed")
    assert (model.id, model.priority, model.touches) == ("user-model", 8, ("app/models/**",))
    assert model.description.startswith("Use SQLAlchemy 2 style.")
    assert [check.title for check in model.checks] == ["pytest -q"]
    assert (login.dependencies, login.role, login.file_refs) == (
        ("user-model",),
        "backend",
        ("specs/login.md",),
    )
    assert [check.title for check in login.checks] == ["pytest tests/login"]
    assert (endpoint.parent_id, rate.parent_id) == ("login", "login")
    assert (rate.title, rate.file_refs) == (
        "Rate limit, see [the policy](specs/limits.md)",
        ("specs/limits.md",),
    )
    assert (linter.kind, linter.command, linter.checks) == ("command", "ruff check .", ())
    assert (look.kind, look.dependencies) == ("approval", ("login",))


def test_with_boxes_only_these_are_tasks(desk: Desk) -> None:
    """Plain bullets in an item are its description; outside they are prose of their heading."""
    content = "# P\n\n- note\n\n## Part\n\n- also a note\n- [ ] Task\n  - detail\n    1. deeper\n"
    plan = desk.plan(content)
    (task,) = plan.tasks
    assert plan.description == "- note"
    assert task.context == "## Part\n\n- also a note"
    assert task.description == "- detail\n  1. deeper"


def test_without_boxes_the_outermost_items_are_tasks(desk: Desk) -> None:
    """Nested items are their description."""
    one, two, three = desk.tasks("- One\n  - a\n  - b\n* Two\n\n1) Three\n")
    assert (one.title, one.description) == ("One", "- a\n- b")
    assert (two.title, three.title) == ("Two", "Three")


def test_without_a_list_the_file_is_one_task(desk: Desk) -> None:
    """Its title is the first heading."""
    plan = desk.plan("# Rewrite the parser {#rewrite}\nFast.\n\n## Why\nSlow.\n")
    (task,) = plan.tasks
    assert plan.name == "Rewrite the parser"
    assert (task.id, task.title) == ("rewrite", "Rewrite the parser")
    assert task.description == "Fast.\n\n## Why\nSlow."


def test_an_underlined_title_is_one_too(desk: Desk) -> None:
    """Its underline says nothing."""
    task = desk.task("Rewrite\n=======\nFast.\n")
    assert (task.title, task.description) == ("Rewrite", "Fast.")


def test_without_a_heading_the_first_line_is_the_title(desk: Desk) -> None:
    """And the plan is named after the file."""
    plan = desk.plan("Rewrite the parser.\nIt is slow.\n", "speed.md")
    assert (plan.name, plan.tasks[0].title, plan.tasks[0].description) == (
        "speed",
        "Rewrite the parser.",
        "It is slow.",
    )


@pytest.mark.parametrize(
    "quoted",
    [
        "```\n- [ ] no\n```",
        "~~~md\n- [ ] no\n~~~",
        "> - [ ] no",
        "<!--\n- [ ] no\n-->",
        "<div>\n- [ ] no\n</div>",
        "para\n\n        - [ ] no",
    ],
)
def test_what_is_quoted_is_no_task(desk: Desk, quoted: str) -> None:
    """Code, block quotes and HTML are text of the task they stand in, and whole."""
    indented = quoted.replace("\n", "\n  ")
    task = desk.task(f"- [ ] Real\n\n  {indented}\n")
    assert task.title == "Real"
    assert [line.split() for line in task.description.split("\n")] == [
        line.split() for line in quoted.split("\n")
    ]


def test_code_keeps_its_indentation(desk: Desk) -> None:
    """Only the indentation of the item goes."""
    task = desk.task("- [ ] Write it\n  ```python\n  if x:\n      y()\n  ```\n")
    assert task.description == "```python\nif x:\n    y()\n```"


@pytest.mark.parametrize(
    ("box", "status"), [("[ ]", "pending"), ("[x]", "completed"), ("[X]", "completed"), ("[-]", "skipped")]
)
def test_the_box_gives_the_status(desk: Desk, box: str, status: str) -> None:
    """Done and skipped tasks are in the plan and are not run."""
    assert desk.task(f"* {box} Task\n").status == status


@pytest.mark.parametrize(("word", "status"), [("TODO", "pending"), ("DONE", "completed")])
def test_keywords_give_the_status_where_there_are_no_boxes(desk: Desk, word: str, status: str) -> None:
    """Of the items that are tasks."""
    task = desk.task(f"* {word} Task\n")
    assert (task.title, task.status) == ("Task", status)


def test_a_skipped_group_skips_what_is_left_of_it(desk: Desk) -> None:
    """What was done stays done."""
    tasks = desk.tasks("- [-] Group\n  - [ ] a\n    - [ ] b\n  - [x] c\n")
    assert [task.status for task in tasks] == ["skipped", "skipped", "skipped", "completed"]


def test_a_ticked_group_with_an_open_part_is_open(desk: Desk) -> None:
    """All the way up; one whose parts are done stays done."""
    tasks = desk.tasks("- [x] Top\n  - [x] Mid\n    - [ ] open\n- [x] Done\n  - [x] a\n  - [-] b\n")
    assert [task.status for task in tasks] == [
        "pending",
        "pending",
        "pending",
        "completed",
        "completed",
        "skipped",
    ]


def test_items_of_an_ordered_list_follow_each_other(desk: Desk) -> None:
    """Each list for itself, at its own depth; a skipped one is passed over; explicit needs stay."""
    content = "1. [ ] a\n   1. [ ] a1\n   2. [ ] a2\n2. [-] b\n3. [ ] c {needs=z}\n\n- [ ] z\n- [ ] y\n"
    needs = {task.id: task.dependencies for task in desk.tasks(content)}
    assert needs == {"a": (), "a1": (), "a2": ("a1",), "b": ("a",), "c": ("a", "z"), "z": (), "y": ()}


def test_headings_and_their_prose_are_context(desk: Desk) -> None:
    """Of the tasks under them; a part of a group gets it from the group."""
    content = (
        "top\n\n## A\nabout a\n\n- [ ] one\n  - [ ] part\n\n"
        "### B\nabout b\n\n- [ ] two\n\nafter\n\n## C\n\n- [ ] three\n"
    )
    plan = desk.plan(content)
    assert plan.description == "top"
    context = {task.title: task.context for task in plan.tasks}
    assert context == {
        "one": "## A\nabout a",
        "part": "",
        "two": "## A\nabout a\n\n### B\nabout b\n\nafter",
        "three": "## C",
    }


def test_the_only_top_heading_names_the_plan(desk: Desk) -> None:
    """And its prose describes it."""
    plan = desk.plan("# Accounts\n\nFor everybody.\n\n## A\n- [ ] x\n")
    assert (plan.name, plan.description, plan.tasks[0].context) == ("Accounts", "For everybody.", "## A")


def test_several_top_headings_are_context_each(desk: Desk) -> None:
    """And the plan is named after the file."""
    plan = desk.plan("# A\n- [ ] x\n\n# B\n- [ ] y\n", "two.md")
    assert (plan.name, [task.context for task in plan.tasks]) == ("two", ["# A", "# B"])


def test_text_under_a_heading_without_tasks_goes_to_what_is_around_it(desk: Desk) -> None:
    """Nothing the author wrote is lost."""
    plan = desk.plan("# P\n\n## A\n\n- [ ] x\n\n### Notes\nmind\n\n## Z\nend\n")
    assert plan.tasks[0].context == "## A\n\n### Notes\nmind"
    assert plan.description == "## Z\nend"


def test_a_heading_in_an_item_is_text_of_the_item(desk: Desk) -> None:
    """Only headings of the file make sections."""
    task = desk.task("- [ ] x\n\n  ## Details\n  more\n")
    assert (task.context, task.description) == ("", "## Details\nmore")


def test_underlined_headings_count(desk: Desk) -> None:
    """They are headings like any other."""
    plan = desk.plan("Title\n=====\n\nPart\n----\n- [ ] x\n")
    assert (plan.name, plan.tasks[0].context) == ("Title", "Part\n----")


def test_deep_nesting_is_followed(desk: Desk) -> None:
    """Twenty levels of groups."""
    tasks = desk.tasks("".join(f"{'  ' * level}- [ ] level {level}\n" for level in range(20)))
    assert [task.parent_id for task in tasks] == [None, *(f"level-{level}" for level in range(19))]


def test_boxes_under_a_plain_item_belong_to_the_nearest_task(desk: Desk) -> None:
    """Plain items are no groups."""
    tasks = desk.tasks("- [ ] A\n  - about\n    - [ ] B\n- plain\n  - [ ] C\n")
    assert [(task.title, task.parent_id) for task in tasks] == [("A", None), ("B", "a"), ("C", None)]
    assert tasks[0].description == "- about"


def test_the_title_may_stand_below_its_box(desk: Desk) -> None:
    """The first text of an item is its title."""
    task = desk.task("- [ ]\n  Title\n  body\n")
    assert (task.title, task.description) == ("Title", "body")


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_byte_order_marks_make_no_difference(desk: Desk, end: str, bom: bytes) -> None:
    """Files come from everywhere."""
    content = EXAMPLE.replace(" -> specs/login.md", "").replace(", see [the policy](specs/limits.md)", "")
    plain = desk.plan(content)
    assert desk.plan(bom + content.replace("\n", end).encode()) == plain


def test_front_matter_may_be_toml(desk: Desk) -> None:
    """Between plus signs."""
    plan = desk.plan('+++\nname = "x"\nretries = 5\n[limits]\nmax_tokens = 7\n+++\n- [ ] a\n')
    assert (plan.name, plan.defaults.retries, plan.limits.max_tokens) == ("x", 5, 7)


@pytest.mark.parametrize(
    "content", ["---\n- [ ] a\n---\n", "---\n\nprose\n\n---\n\n- [ ] a\n", "---\n- [ ] a\n"]
)
def test_a_thematic_break_is_no_front_matter(desk: Desk, content: str) -> None:
    """It looks the same and holds no keys."""
    assert desk.task(content).title == "a"


def test_empty_front_matter_is_fine(desk: Desk) -> None:
    """It says nothing."""
    assert desk.task("---\n---\n- [ ] a\n").title == "a"


def test_the_same_file_gives_the_same_plan(desk: Desk) -> None:
    """Byte for byte, whatever the process."""
    content = EXAMPLE.replace(" -> specs/login.md", "").replace(", see [the policy](specs/limits.md)", "")
    assert desk.plan(content) == desk.plan(content)
