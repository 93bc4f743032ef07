"""What differs between two plans."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aca.plans.difference import Change, difference
from aca.plans.plan import Plan
from aca.plans.settings import Limits
from aca.report import differences
from tests.core.stories import plans, task


@given(plans(), st.data())
def test_a_plan_with_its_tasks_and_needs_reordered_is_the_same(plan: Plan, data: st.DataObject) -> None:
    """Ids say what belongs together."""
    tasks = data.draw(st.permutations(plan.tasks))
    turned = [one.model_copy(update={"dependencies": one.dependencies[::-1]}) for one in tasks]
    assert not difference(plan, plan.model_copy(update={"tasks": tuple(turned)}))


@given(plans(), plans())
def test_there_and_back_differ_in_the_same(one: Plan, other: Plan) -> None:
    """What one way is added is removed the other way."""
    there, back = difference(one, other), difference(other, one)
    assert bool(there) == bool(back)
    assert [task.id for task in there.added] == [task.id for task in back.removed]
    assert [flipped(change) for change in there.settings] == list(map(sides, back.settings))
    changed = {task.id: set(map(repr, map(sides, changes))) for task, changes in back.changed}
    assert {task.id: set(map(repr, map(flipped, changes))) for task, changes in there.changed} == changed


def sides(change: Change) -> tuple[str, Any, Any]:
    return change.field, change.before, change.after


def flipped(change: Change) -> tuple[str, Any, Any]:
    return change.field, change.after, change.before


def test_tasks_edges_prompts_and_limits_are_told() -> None:
    """Each in its own words."""
    before = Plan(
        limits=Limits(max_tokens=5), tasks=(task("a"), task("b", description="One\nTwo"), task("gone"))
    )
    after = Plan(tasks=(task("a"), task("b", description="One\n2", dependencies=("a",)),
                        task("new", kind="command", command="make it"), ))  # fmt: skip
    assert list(differences.text(difference(before, after))) == [
        "1 task added, 1 task removed, 1 task changed, 1 setting changed",
        "limits.max_tokens: 5 -> not said",
        "+ new: New (make it)",
        "- gone: Gone (agent)",
        "~ b: B",
        "    description:",
        "      @@ -1,2 +1,2 @@",
        "       One",
        "      -Two",
        "      +2",
        "    dependencies: +a",
    ]


@given(st.text(alphabet="`~\n#<a", max_size=30))
def test_no_text_breaks_out_of_the_markdown(text: str) -> None:
    """A fence is longer than any run of backticks in it."""
    found = difference(Plan(tasks=(task("a"),)), Plan(tasks=(task("a", description=f"x\n{text}"),)))
    lines = [line.strip() for line in differences.markdown(found)]
    fences = [line.removesuffix("diff") for line in lines if set(line.removesuffix("diff")) == {"`"}]
    longest = max(fences, key=len)
    assert lines.count(longest) == 1
    assert lines.count(f"{longest}diff") == 1
    assert lines[-1] == longest
