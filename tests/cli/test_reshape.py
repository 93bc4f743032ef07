"""``aca plan split`` and ``aca plan merge``: a plan is cut anew, and its file stays its author's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aca.core import graph, reshape
from aca.plans.faults import faults
from aca.plans.plan import Plan
from tests.core.stories import plans, task
from tests.project import Project

PLAN = '''\
"$schema" = "urn:aca:schema:plan:1"  # the plan
format_version = 1

[defaults]
provider = "replay"

[providers.replay]
script = "replay.toml"  # no model

# The first thing.
[[tasks]]
id = "site"
title = "Make the site"  # it is small
role = "writer"
priority = 7
needs = ["look"]
description = """
# It is this:

1. The page
   with a form

   ```
   - not an item
   ```
2. The mail
Both in blue.
"""
check = "test -f made"

# Look first.
[[tasks]]
id = "look"
title = "Look around"

# The last thing.
[[tasks]]
id = "ship"
title = "Ship it"
run = "true"
needs = ["site"]  # of course

[roles.writer]
system_prompt = "Write."
'''
SCRIPT = 'tasks."*".steps = [{write = "made", content = "x"}]\n'


@pytest.fixture
def plan(project: Project) -> Project:
    project.write({"plan.toml": PLAN, "replay.toml": SCRIPT})
    return project


def tasks(project: Project) -> dict[str, dict[str, Any]]:
    """Those of the plan, by id, as it is read again."""
    return {one["id"]: one for one in project.run("run", "plan.toml", "--dry-run", "--json").json["tasks"]}


def comments(text: str) -> list[str]:
    return [line.partition("#")[2] for line in text.splitlines() if "#" in line]


def test_a_task_is_split_by_the_list_in_its_description(plan: Project) -> None:
    """It becomes the group of its items, numbered ones in order; the comments stay, and the plan runs."""
    told = plan.run("plan", "split", "plan.toml", "Make the site").stdout
    assert told == "plan.toml: site is 2 tasks now: site.the-page, site.the-mail\n"
    assert sorted(comments(plan.read("plan.toml"))) == sorted(comments(PLAN))
    assert plan.read("plan.toml").startswith(PLAN[: PLAN.index("title =")])
    cut = tasks(plan)
    assert cut["site"]["description"] == "# It is this:\n\nBoth in blue."
    assert [check["run"] for check in cut["site"]["checks"]] == ["test -f made"]
    assert "role" not in cut["site"]
    page, mail = cut["site.the-page"], cut["site.the-mail"]
    assert "- not an item" in page["description"]
    assert (page["role"], page["priority"], page["parent_id"]) == ("writer", 7, "site")
    assert mail["dependencies"] == ["site.the-page"]
    plan.run("run", "plan.toml")


def test_tasks_are_merged_with_all_they_say(plan: Project) -> None:
    """What needed any of them needs the one; one that waited for another does not wait for itself."""
    plan.write({"plan.toml": PLAN.replace('role = "writer"\n', "")})
    told = plan.run("plan", "merge", "plan.toml", "site", "look", "--title", "Look and make").stdout
    assert told == "plan.toml: site, look are one task now: site\n"
    assert sorted(comments(plan.read("plan.toml"))) >= sorted(comments(PLAN))[:1]
    for remark in (" Look first.", " The last thing.", " of course", " the plan"):
        assert remark in comments(plan.read("plan.toml"))
    cut = tasks(plan)
    assert [*cut] == ["site", "ship"]
    assert (cut["site"]["title"], cut["site"].get("dependencies")) == ("Look and make", None)
    assert "## Make the site" in cut["site"]["description"]
    assert "## Look around" in cut["site"]["description"]


def test_the_schema_of_a_plan_is_found_from_where_it_is_written(plan: Project, tmp_path: Path) -> None:
    """The line for editors leads there; what only looks like it, in a text, is left alone."""
    said = PLAN.replace("Both in blue.", "#:schema is a word of Taplo's")
    plan.write({"plan.toml": f"# mine\n\n#:schema ./.aca/plan.schema.json\n{said}"})
    (plan.root / "cut").mkdir()
    for target in ("cut/once.toml", str(tmp_path / "else.toml")):
        plan.run("plan", "split", "plan.toml", "site", "--output", target)
        mine, _, line, *rest = (plan.root / target).read_text().split("\n")
        assert mine == "# mine"
        schema = (plan.root / target).parent / line.removeprefix("#:schema ")
        assert schema.resolve() == plan.root / ".aca" / "plan.schema.json"
        assert "#:schema is a word of Taplo's" in "\n".join(rest)


def test_an_approved_plan_that_is_cut_is_not_approved(plan: Project) -> None:
    """Its terms are those of the tasks as they are now; with --output the plan itself stays."""
    plan.run("plan", "approve", "plan.toml")
    before = plan.read("plan.toml")
    (plan.root / "cut").mkdir()
    plan.run("plan", "split", "plan.toml", "site", "--output", "cut/plan.json")
    assert plan.read("plan.toml") == before
    cut = json.loads(plan.read("cut/plan.json"))
    assert cut["$schema"] == "../.aca/plan.schema.json"
    assert "approval" not in cut
    assert {*cut["contract"]["tasks"]} == {one["id"] for one in cut["tasks"]}
    told = plan.run("run", "cut/plan.json", "--require-approved", expect=6).stderr
    assert "approved" in told


WRONG = [
    (["split", "plan.toml", "ship"], '"ship" is of kind command, and no agent\'s work'),
    (["split", "plan.toml", "look"], "neither a list nor paragraphs to split it by"),
    (["split", "plan.toml", "sit"], 'there is no task "sit" in this plan\n   did you mean "site"?'),
    (["split", "plan.toml", "site", "--output", "cut.yaml"], "a plan is written to .json or .toml"),
    (["split", "plan.toml", "site", "--output", "no/cut.json"], "the directory no does not exist"),
    (["merge", "plan.toml", "site", "look"], '"site" and "look" cannot be one task: their role differ'),
    (["merge", "plan.toml", "site"], "name two tasks at least"),
    (["split", "tasks.md", "a"], "only a plan can be changed so"),
    (["split", "inline.toml", "a"], "inline.toml:2: this plan cannot be written back as it is"),
]


def test_what_cannot_be_is_refused_and_the_file_stays(plan: Project) -> None:
    """With the line and the cure, where there are some."""
    inline = 'format_version = 1\ntasks = [{id = "a", title = "A", description = "- x\\n- y"}]\n'
    plan.write({"tasks.md": "- [ ] A {#a}\n", "inline.toml": inline})
    for words, told in WRONG:
        assert told in plan.run("plan", *words, expect=2).stderr
    assert (plan.read("plan.toml"), plan.read("inline.toml")) == (PLAN, inline)


def test_a_circle_is_named() -> None:
    """Whoever waits between two tasks keeps them apart."""
    plan = Plan(tasks=(task("a"), task("x", dependencies=("a",)), task("b", dependencies=("x",))))
    kept, [fault] = reshape.merged(plan, [0, 2])
    assert kept is plan
    assert fault.message == "this cannot be: these tasks wait for each other: a -> x -> a"


TEXTS = st.lists(st.sampled_from(["- one", "2. two", "", "words", "  more", "```", "* x"]), max_size=9)


@given(plan=plans(least=2), texts=st.lists(TEXTS, min_size=9, max_size=9), data=st.data())
def test_whatever_is_cut_is_a_plan_still(plan: Plan, texts: list[list[str]], data: st.DataObject) -> None:
    """Or it is told why not, and stays as it was; nothing a description says is lost."""
    groups = {one.parent_id for one in plan.tasks}
    said = [
        one.model_copy(
            update={"description": "\n".join(text), **({"on_failure": "fail"} if one.id in groups else {})}
        )
        for one, text in zip(plan.tasks, texts, strict=False)
    ]
    plan = plan.model_copy(update={"tasks": tuple(said)})
    numbers = st.integers(0, len(plan.tasks) - 1)
    index, others = data.draw(numbers), data.draw(st.lists(numbers, min_size=2, max_size=3, unique=True))
    if data.draw(st.booleans()):
        made, found = reshape.split(plan, index)
    else:
        made, found = reshape.merged(plan, others)
    assert bool(found) == (made is plan)
    assert faults(made) == []
    assert graph.cycle_faults(made) == []
    for word in ("one", "two", "words", "more"):
        assert _count(plan, word) == _count(made, word)


def _count(plan: Plan, word: str) -> int:
    return sum(f"{one.title}\n{one.description}".split().count(word) for one in plan.tasks)
