"""What an approval holds on to: every field, and nothing but what a plan says."""

from __future__ import annotations

import json
from copy import deepcopy
from random import Random
from typing import Any, get_args

import pytest
from hypothesis import given

from aca.plans import contract
from aca.plans.check import Check
from aca.plans.plan import Plan, dump
from aca.plans.provenance import Approval, Contract, Source, Terms
from aca.plans.settings import Defaults, Limits, Logging, Protect, Role, Sandbox
from aca.plans.task import GivenStatus, Task
from tests.core.stories import plans, task
from tests.plans.full_plan import APPROVED, CHANGEABLE, FULL, changed, is_named, places, written


def test_the_full_plan_says_everything() -> None:
    """A field that is added to the model has to be added here, and is tested then."""
    said = {at[-1] for at in places(APPROVED)} | {at[0] for at in places(APPROVED)}
    models = (Plan, Task, Check, Defaults, Role, Limits, Logging,
              Source, Contract, Terms, Approval, Sandbox,
              Protect)  # fmt: skip
    for one in models:
        fields = [field.alias or name for name, field in one.model_fields.items()]
        inner = {name for name, field in one.model_fields.items() if _is_table(field.annotation)}
        assert set(fields) - inner - {"status"} <= said, one.__name__


def _is_table(annotation: object) -> bool:
    """Whether what it holds has names of its own."""
    said = str(annotation)
    return "dict[" in said or ("aca.plans." in said and "aca.plans.values." not in said)


@pytest.mark.parametrize("at", CHANGEABLE, ids=written)
def test_a_change_of_any_field_is_seen_and_named(at: tuple[str | int, ...]) -> None:
    """Of every field of the model, whatever the plan says in it."""
    others = [plan for _, plan in changed(at)]
    assert others, f"no other value fits {at}"
    for plan in others:
        named = contract.changes(plan)
        assert named
        assert is_named(named, at), named


@pytest.mark.parametrize("change", ["remove", "add", "reorder"])
def test_tasks_that_come_go_or_move_are_seen(change: str) -> None:
    """In a sequential plan their order is what happens."""
    tasks = list(Plan.model_validate(APPROVED).tasks)
    others = {"remove": tasks[1:], "add": [*tasks, task("new")], "reorder": tasks[::-1]}
    plan = Plan.model_validate(APPROVED).model_copy(update={"tasks": tuple(others[change])})
    assert "tasks" in contract.changes(plan)


def test_statuses_keys_and_white_space_are_no_change() -> None:
    """However the file is written, and however far its tasks are: in a thousand ways, most of them of a plan
    that says less. Nor is where an editor finds its schema."""
    less = contract.approved(Plan(tasks=(task("a"), task("b", dependencies=["a"]))), "ann", "now")
    for number in range(1000):
        rng = Random(number)
        plan = deepcopy(APPROVED if number % 20 == 0 else dump(less))
        plan["$schema"] = rng.choice(["urn:aca:schema:plan:1", "./plan.schema.json"])
        for one in plan["tasks"]:
            one["status"] = rng.choice(get_args(GivenStatus))
        text = json.dumps(shuffled(plan, rng), indent=rng.choice([None, 1, 4, "\t"]))
        spaced = text.replace("{", rng.choice(["{", "{\n\n", " { "]))
        assert contract.changes(Plan.model_validate_json(spaced)) == [], number


def shuffled(value: Any, rng: Random) -> Any:
    """*value* with the keys of its tables in any order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key], rng) for key in rng.sample([*value], len(value))}
    return [shuffled(one, rng) for one in value] if isinstance(value, list) else value


@given(plans())
def test_an_approved_plan_is_what_was_approved(plan: Plan) -> None:
    """After it has been written and read, too."""
    plan = contract.approved(contract.settled(plan, Contract()), "ann", "now")
    again = Plan.model_validate(dump(plan))
    assert again == plan
    assert contract.changes(again) == []
    assert contract.renewed(again) == again


def test_a_definition_is_what_a_task_does_and_not_how_far_it_is() -> None:
    """Its role's prompt counts, its status does not."""
    one = task("a", role="dev")
    plain = Plan(roles={"dev": Role(system_prompt="Short.")}, tasks=(one,))
    done = plain.model_copy(update={"tasks": (one.model_copy(update={"status": "completed"}),)})
    other = plain.model_copy(update={"roles": {"dev": Role(system_prompt="Long.")}})
    assert contract.terms(plain) == contract.terms(done) != contract.terms(other)


def test_terms_are_what_a_task_gets() -> None:
    """An agent has a provider, a command has none, a group has neither."""
    terms = contract.terms(Plan.model_validate(FULL))
    assert (terms["agent"].provider, terms["agent"].model, terms["agent"].retries) == ("replay", "own", 1)
    assert (terms["command"].provider, terms["command"].timeout) == (None, 1200)
    assert (terms["group"].permissions, terms["group"].timeout) == (None, None)


def test_a_renewed_plan_keeps_no_approval_of_another() -> None:
    """What a session writes down says nothing that is not so."""
    plan = Plan.model_validate(APPROVED)
    other = contract.renewed(plan.model_copy(update={"fail_fast": False}))
    assert other.approval is None
    assert contract.renewed(plan).approval == plan.approval
