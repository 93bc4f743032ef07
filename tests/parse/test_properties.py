"""What holds for every file: nothing is lost, nothing crashes, every spelling is the same plan."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aca import parse
from aca.errors import InputError
from aca.plans.plan import Plan
from tests.parse.desk import Desk


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """One workspace for all examples of a property."""
    desk = Desk(tmp_path_factory.mktemp("table"))
    desk.write("a.md", "x")
    return desk


# -- any text at all ------------------------------------------------------------------------------------

FRAGMENTS = [
    *("- ", "* ", "1. ", "2) ", "[ ] ", "[x] ", "[-] ", "  ", "    ", "\t", "\n", "\n\n", "# ", "## ", "> "),
    *(
        "{#a}",
        "{#",
        '{run="x"}',
        "needs=",
        '"',
        "'",
        "}",
        ".tag",
        "`",
        "```",
        "~~~",
        "-> ",
        "a.md",
        "[x](",
        ")",
    ),
    *("---\n", "+++\n", "key: v\n", "a = 1\n", "[[tasks]]\n", 'title = "A"\n', "[session]\n", "checks: "),
    *(
        "TODO ",
        "DONE ",
        "* TODO ",
        ":tag:",
        "word",
        "é",
        "漢",
        "\u2028",
        "\r\n",
        "\x0b",
        "\x1b",
        "<!--",
        "-->",
    ),
    *('{"tasks": [', '{"title": "A"}', "]}", '"id"', ":", "null", "1e999", "true", "\\ud800", "[", "]", ","),
    *("&a ", "*a", "!!x ", "nan", "format_version = 1\n", "parent = ", "===", "<", ">"),
]

chaos = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join),
    st.lists(st.sampled_from(FRAGMENTS), max_size=20).map(lambda parts: f"---\n{''.join(parts)}\n---\n- a\n"),
)


def outcome(table: Desk, content: str | bytes, name: str) -> Plan | str:
    """What the user gets. Anything but a plan or an InputError fails the test."""
    try:
        return table.plan(content, name)
    except InputError as error:
        return str(error)


@pytest.mark.parametrize("name", ["t.md", "t.txt", "t.org", "t.toml", "t.json", "tasks"])
@given(content=chaos)
def test_any_text_is_a_plan_or_a_complaint(table: Desk, name: str, content: str) -> None:
    """Nothing but InputError comes out, and it can be printed."""
    assert str(outcome(table, content, name)).encode()


@given(content=st.binary(max_size=80))
def test_any_bytes_are_a_plan_or_a_complaint(table: Desk, content: bytes) -> None:
    """Files need not be text."""
    assert outcome(table, content, "t.md")


# -- task files of any shape ------------------------------------------------------------------------------

words = st.lists(
    st.sampled_from(["Build", "the", "API", "`code`", "**bold**", "größe", "数据", "a-b", "x_y", "3"]),
    min_size=1,
    max_size=5,
)
attribute = st.sampled_from(
    [
        "priority=8",
        ".db",
        "role=dev",
        "timeout=5m",
        'check="a b"',
        "check='c'",
        "touches='x/** y'",
        'run="ls | wc"',
        "cwd=s",
    ]
)
body = st.sampled_from(
    ["plain words", "- a bullet", "```\ncode:\n    - [ ] no\n```", "> quote", "see [a](a.md)", "\n\nmore"]
)


@st.composite
def task_files(draw: st.DrawFn) -> str:
    """Markdown with headings, nested boxes, attributes and bodies; each line holds a word of its own."""
    lines = ["---", "roles: {dev: {}}", "---", *(["# Title"] if draw(st.booleans()) else [])]
    depth = 0
    for number in range(draw(st.integers(1, 8))):
        if draw(st.integers(0, 4)) == 0:
            depth = 0
            lines += ["", f"## Part{number}", f"prose{number}", ""]
        depth = draw(st.integers(0, depth))
        title = " ".join([f"word{number}", *draw(words)])
        attributes = draw(st.lists(attribute, max_size=3, unique=True))
        has_run = any(one.startswith("run") for one in attributes)
        tail = f" {{{' '.join(attributes)}}}" if attributes else ""
        lines.append(f"{'  ' * depth}- [{draw(st.sampled_from(' xX-'))}] {title}{tail}")
        margin = "  " * (depth + 1)
        lines += [
            margin + line if line else "" for line in "\n".join(draw(st.lists(body, max_size=2))).split("\n")
        ]
        depth += 0 if has_run else 1
    return "\n".join(lines) + "\n"


def said(plan: Plan) -> str:
    """Everything the plan says, as one text."""
    parts = [plan.name, plan.description]
    for task in plan.tasks:
        parts += [
            task.title,
            task.description,
            task.context,
            *task.tags,
            *task.touches,
            str(task.command or ""),
        ]
        parts += [str(check.run) for check in task.checks]
    return "\n".join(parts)


@given(content=task_files())
def test_every_line_is_somewhere_in_the_plan(table: Desk, content: str) -> None:
    """In a title, a description, a context or an attribute."""
    everything = said(table.plan(content))
    for line in content.split("---\n", 2)[2].split("\n"):
        text = re.sub(r"^#+ |^\s*- \[[ xX-]\] |\s*\{[^{}]*\}$", "", line)
        assert text.strip() in everything


@given(content=task_files())
def test_every_spelling_is_the_same_plan(table: Desk, content: str) -> None:
    """Markdown, JSON, TOML and JSON again: the same plan, and the same bytes."""
    plan = table.plan(content)
    as_json = parse.dump_text(plan, "json")
    from_json = table.plan(as_json, "plan.json")
    from_toml = table.plan(parse.dump_text(from_json, "toml"), "plan.toml")
    assert plan == from_json == from_toml
    assert parse.dump_text(from_toml, "json") == as_json


# -- plans with every key -----------------------------------------------------------------------------------

line = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
options = st.recursive(
    st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False) | line,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(line, inner, max_size=3),
    max_leaves=5,
)
seconds = st.integers(0, 10**7).map(lambda millis: millis / 1000)
some = seconds.filter(bool)
program = line.filter(str.strip)
command = program | st.tuples(program) | st.tuples(program, line, line)
variable = line.filter(lambda name: name and "=" not in name)
one_task = st.fixed_dictionaries(
    {"title": line.filter(str.strip), "kind": st.just("command"), "command": command},
    optional={
        "description": line,
        "context": line,
        "status": st.sampled_from(["pending", "completed", "skipped"]),
        "priority": st.integers(0, 10),
        "estimated_complexity": st.integers(1, 10),
        "repository_refs": st.lists(line, max_size=2),
        "tags": st.lists(line, max_size=2),
        "touches": st.lists(line, max_size=2),
        "provider": line,
        "permissions": st.sampled_from(["read-only", "workspace-write", "full"]),
        "checks": st.lists(
            st.fixed_dictionaries({"run": command}, optional={"name": line, "timeout": some}), max_size=2
        ),
        "retries": st.integers(0, 100),
        "retry_delay": seconds,
        "timeout": some,
        "backup": command,
        "on_failure": st.sampled_from(["fail", "skip"]),
        "env": st.dictionaries(variable, line, max_size=2),
    },
)
plans = st.fixed_dictionaries(
    {"format_version": st.just(1), "tasks": st.lists(one_task, min_size=1, max_size=3)},
    optional={
        "name": line,
        "description": line,
        "fail_fast": st.booleans(),
        "execution_mode": st.sampled_from(["parallel", "intelligent"]),
        "max_concurrent_tasks": st.just(1),
        "checkpoint_interval": some,
        "limits": st.fixed_dictionaries(
            {}, optional={"max_tokens": st.integers(1), "max_cost_usd": st.floats(0.1, 1e6)}
        ),
        "roles": st.dictionaries(line, st.fixed_dictionaries({}, optional={"model": line}), max_size=2),
        "providers": st.dictionaries(line, st.dictionaries(line, options, max_size=3), max_size=2),
        "logging": st.fixed_dictionaries({}, optional={"structured": st.booleans()}),
    },
)


@given(data=plans)
def test_every_plan_survives_both_spellings(table: Desk, data: dict[str, Any]) -> None:
    """Whatever text it holds: quotes, line ends, other scripts, control characters."""
    for number, task in enumerate(data["tasks"]):
        task["id"] = f"t{number}"
    plan = parse.validate(data, parse.Document("x", "", "json").problem)
    as_json = parse.dump_text(plan, "json")
    from_toml = table.plan(parse.dump_text(plan, "toml"), "plan.toml")
    assert table.plan(as_json, "plan.json") == plan == from_toml
    assert parse.dump_text(from_toml, "json") == as_json


def test_what_toml_cannot_say_is_refused(table: Desk) -> None:
    """Rather than left out."""
    content = (
        '{"format_version": 1, "providers": {"x": {"y": [1, null]}}, "tasks": [{"id": "a", "title": "A"}]}'
    )
    plan = table.plan(content, "plan.json")
    assert '"y": [\n        1,\n        null\n      ]' in parse.dump_text(plan, "json")
    with pytest.raises(InputError, match=r"null, which is at providers\.x\.y\[1\]"):
        parse.dump_text(plan, "toml")


def test_a_dump_is_for_people(table: Desk) -> None:
    """Indented, in every script, several lines as several lines."""
    plan = table.plan("- Größe\n  one\n  two\n")
    assert '"title": "Größe"' in parse.dump_text(plan, "json")
    assert parse.dump_text(plan, "json").endswith("}\n")
    assert 'description = """\none\ntwo"""' in parse.dump_text(plan, "toml")


# -- positions ----------------------------------------------------------------------------------------------

TOML = '{}[[tasks]]\nid = "a"\ntitle = "A"\n{}[[tasks]]\ntitle = "B"\nneeds = [\n  "a", # {}\n  "lost",\n]\n'
JSON = (
    '{{{}"tasks": [\n  {{"id": "a", "title": "A"{}}},\n  {{"title": "{}B", "needs": [\n  "a", "lost"]}}]}}\n'
)
MARKDOWN = "---\n{}\n---\n- [ ] A\n{}\n- [ ] B{} {{needs=a,lost}}\n"


@pytest.mark.parametrize(
    ("name", "template"),
    [("t.toml", TOML), ("t.json", JSON), ("t.md", MARKDOWN)],
)
@pytest.mark.parametrize("filler", ["", "\n", "\n\n\n"])
@pytest.mark.parametrize("odd", ["", "ü", "漢字", "\u2028", "\t"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_problem_points_at_its_word(
    table: Desk, name: str, template: str, filler: str, odd: str, bom: bytes, end: str
) -> None:
    """Whatever stands around it, and however lines end."""
    if name == "t.json" and odd == "\t":
        odd = " "
    content = template.format(filler, filler, odd)
    table.write(name, bom + content.replace("\n", end).encode())
    document = table.read(name)
    with pytest.raises(InputError) as caught:
        parse.validate(document.data, document.problem, document.problems)
    (problem,) = caught.value.problems
    lines = content.split("\n")
    assert problem.line is not None
    assert problem.column is not None
    assert "lost" in lines[problem.line - 1]
    assert problem.source[problem.column - 1 :][: problem.width] == "lost"


TABLES = """\
a.b."c d" = {e = [1, [2, {f = 3}]], 'g' = 4}
[[x]]
y = '''
[[not]]
z = 1'''
[[x.inner]]
k = 1
[[x]]
[x.sub.deep]
k = [
  "# no",  # comment ]
  [[1], []],
]
[ spaced . "key" ]
last = 1979-05-27 07:32:00
"""


def test_everything_in_toml_has_its_place(table: Desk) -> None:
    """Dotted and quoted keys, inline and nested tables, lists in lists, text of several lines."""
    document = table.read(table.write("t.toml", f"{TABLES}\n[[tasks]]\ntitle = 'a'\n").name)
    lines = {
        ("a", "b", "c d", "e", 1, 1, "f"): 1,
        ("a", "b", "c d", "g"): 1,
        ("x", 0): 2,
        ("x", 0, "y"): 3,
        ("x", 0, "inner", 0, "k"): 7,
        ("x", 1): 8,
        ("x", 1, "sub", "deep", "k"): 10,
        ("x", 1, "sub", "deep", "k", 0): 11,
        ("x", 1, "sub", "deep", "k", 1, 0, 0): 12,
        ("x", 1, "sub", "deep", "k", 1, 1): 12,
        ("spaced", "key", "last"): 15,
        ("tasks", 0, "title"): 18,
    }
    assert {loc: mark.line for loc in lines if (mark := document.locate(loc))} == lines


@given(data=options)
def test_every_value_in_json_has_its_place(table: Desk, data: Any) -> None:
    """The place of each key and item is where its text stands."""
    import json

    text = json.dumps({"tasks": [{"title": "a"}], "options": data}, indent=1, ensure_ascii=False)
    document = table.read(table.write("t.json", text).name)
    for loc, value in leaves(data, ("options",)):
        mark = document.locate(loc)
        assert mark is not None
        assert mark.column is not None
        start = document.lines[mark.line - 1][mark.column - 1 :]
        assert start.startswith(
            json.dumps(loc[-1] if isinstance(loc[-1], str) else value, ensure_ascii=False)[:1]
        )


def leaves(data: Any, loc: parse.Loc) -> list[tuple[parse.Loc, Any]]:
    found: list[tuple[parse.Loc, Any]] = [(loc, data)]
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inner:
        found += leaves(value, (*loc, key))
    return found


def test_the_path_of_a_document_is_as_the_user_wrote_it(table: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages name the file in the user's words."""
    table.write("x/t.md", "- [ ] a {needs=b}\n")
    monkeypatch.chdir(table.root)
    assert parse.read(Path("x/../x/t.md"), base=Path()).path == "x/../x/t.md"
