"""What an approval holds on to: every field, and nothing but what a plan says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any, get_args

import pytest
from hypothesis import given
from pydantic import ValidationError

from aca import contract
from aca import plan as model
from aca.plan import GivenStatus, Plan, dump
from tests.core.stories import plans, task

FULL: dict[str, Any] = {
    "$schema": "urn:aca:schema:plan:1",
    "format_version": 1,
    "name": "Accounts",
    "description": "What it is about.",
    "source": {"path": "tasks.md", "sha256": "ab" * 32},
    "execution_mode": "parallel",
    "max_concurrent_tasks": 2,
    "fail_fast": True,
    "trust_project_config": True,
    "sandbox": {"mode": "require", "writable": ["~/.npm"]},
    "protect": {"paths": ["secrets"], "commands": ["make deploy"]},
    "cwd": "work",
    "checkpoint_interval": "10m",
    "limits": {"max_cost_usd": 5.0, "max_tokens": 1000, "max_duration": "8h", "max_retries": 9,
               "max_added_tasks": 7},
    "defaults": {
        "provider": "replay", "model": "big", "permissions": "read-only", "system_prompt": "Be brief.",
        "retries": 3, "retry_delay": "2s", "timeout": "20m", "conversation": "role", "workspace": "inplace",
        "fallback": ["replay:other"],
        "models": {"simple": "s", "medium": "m", "complex": "c"}, "pass_env": ["OPENAI_API_KEY"],
    },
    "roles": {
        "backend": {
            "system_prompt": "Types.", "provider": "replay", "model": "m", "permissions": "full",
            "models": {"simple": "s"}, "limits": {"max_tokens": 900}, "fallback": ["replay"],
        }
    },
    "providers": {"replay": {"script": "replay.toml"}},
    "workspace": {
        "copy": [".env"], "setup": "make", "checks": [{"run": "ruff"}], "port": 2000, "merge": True
    },
    "docker": {
        "cpu_limit": 2.0, "memory_limit": 1 << 30, "enabled": True, "image": "python", "build": "images",
        "pids_limit": 64, "allow_hosts": ["api.anthropic.com:443"], "user": "1000:1000", "read_only": True,
        "mounts": ["/opt:/opt"], "env": ["TOKEN"], "proxy_image": "python:3",
        "sizes": {"simple": {"cpu_limit": 1.0, "memory_limit": 1 << 29}},
    },
    "rate_limiting": {
        "requests_per_minute": 60.0, "tokens_per_minute": 900.0, "burst_allowance": 2,
        "backoff_multiplier": 3.0, "max_backoff_seconds": 30.0,
        "session_duration_minutes": 60.0, "max_tokens_per_session": 1000,
        "on_quota": "exit", "providers": {"replay": {"requests_per_minute": 6.0}},
    },
    "prices": {"m": {"input": 1.0, "output": 2.0, "cache_read": 0.5, "cache_write": 1.5}},
    "logging": {"level": "debug", "structured": True},
    "tasks": [
        {"id": "first", "title": "First"},
        {"id": "group", "title": "Group"},
        {
            "id": "agent", "title": "Agent", "kind": "agent", "description": "Do it.", "context": "Above.",
            "status": "pending", "parent_id": "group", "dependencies": ["first"], "priority": 8,
            "estimated_complexity": 5, "repository_refs": ["api"], "file_refs": ["a.md"], "tags": ["x"],
            "touches": ["a/**"], "role": "backend", "provider": "replay", "model": "own",
            "permissions": "full", "conversation": "parent",
            "workspace": "worktree", "docker": False, "fallback": ["replay:m"],
            "checks": [{"name": "tests", "run": "pytest", "timeout": "1m"}],
            "retries": 1, "retry_delay": "3s", "timeout": "5m", "on_failure": "skip", "cwd": "api",
            "env": {"MODE": "test"}, "limits": {"max_cost_usd": 1.0}, "pass_env": ["OLLAMA_API_KEY"],
            "output_schema": {"type": "object", "description": "The verdict.", "required": ["verdict"]},
        },
        {"id": "command", "title": "Command", "kind": "command", "command": "make", "backup": "make again"},
    ],
}  # fmt: skip
"""A plan that says everything that can be said."""


NOW = model.Contract(
    base_commit="c0ffee", tools={"aca": "1", "claude-cli": "2"}, references={"a.md": "cd" * 32}
)


def approved_plan() -> dict[str, Any]:
    plan = contract.settled(Plan.model_validate(FULL), NOW)
    return dump(contract.approved(plan, "ann", "2026-01-02T03:04:05Z", "fine"))


APPROVED = approved_plan()


def places(data: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every value in *data* that is neither a table nor a list of tables."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from places(value, (*at, key))
    elif isinstance(data, list) and data and isinstance(data[0], dict):
        for index, value in enumerate(data):
            yield from places(value, (*at, index))
    else:
        yield at


def candidates(value: Any) -> Iterator[Any]:
    """Other values of the same kind; which of them a field takes is found out by trying."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value + 1, value - 1)
    elif isinstance(value, list):
        yield from ([*value, "more"], [*value, {"run": "more"}], value * 2)
    else:
        options = (model.Kind, model.Mode, model.Permissions, model.Enforcement, GivenStatus)
        yield from (
            f"{value}x",
            "7s",
            "skip",
            "fail",
            "info",
            "own",
            "parent",
            "wait",
            "inplace",
            "worktree",
            "abcd1234",
        )
        yield from (word for option in options for word in get_args(option))


def changed(data: dict[str, Any], at: tuple[str | int, ...]) -> Iterator[Plan]:
    """*data* with another value at *at*, for each one that still is a plan."""
    for other in candidates(value_at(data, at)):
        made = deepcopy(data)
        value_at(made, at[:-1])[at[-1]] = other
        if other != value_at(data, at):
            try:
                yield Plan.model_validate(made)
            except ValidationError:
                continue


def value_at(data: Any, at: tuple[str | int, ...]) -> Any:
    for step in at:
        data = data[step]
    return data


FIXED = ("status", "$schema", "format_version", "type")
"""What is no part of the contract, or has one value only: outputs are always objects."""
CHANGEABLE = [at for at in places(APPROVED) if at[-1] not in FIXED]


def test_the_full_plan_says_everything() -> None:
    """A field that is added to the model has to be added here, and is tested then."""
    said = {at[-1] for at in places(APPROVED)} | {at[0] for at in places(APPROVED)}
    models = (model.Plan, model.Task, model.Check, model.Defaults, model.Role, model.Limits, model.Logging,
              model.Source, model.Contract, model.Terms, model.Approval, model.Sandbox,
              model.Protect)  # fmt: skip
    for one in models:
        fields = [field.alias or name for name, field in one.model_fields.items()]
        inner = {name for name, field in one.model_fields.items() if _is_table(field.annotation)}
        assert set(fields) - inner - {"status"} <= said, one.__name__


def _is_table(annotation: object) -> bool:
    """Whether what it holds has names of its own."""
    return any(word in str(annotation) for word in ("aca.plan.", "aca.container.", "dict["))


@pytest.mark.parametrize("at", CHANGEABLE, ids=lambda at: ".".join(map(str, at)))
def test_a_change_of_any_field_is_seen_and_named(at: tuple[str | int, ...]) -> None:
    """Of every field of the model, whatever the plan says in it."""
    others = list(changed(APPROVED, at))
    assert others, f"no other value fits {at}"
    for plan in others:
        named = contract.changes(plan)
        assert named
        if at[0] == "approval":
            assert named == ["approval"] or at[1] == "seal"
        else:
            assert any(_names(name, at) for name in named), named


def _names(name: str, at: tuple[str | int, ...]) -> bool:
    """Whether *name* is of the field at *at*, or of the whole task whose id it is."""
    if at[0] == "tasks":
        own = APPROVED["tasks"][at[1]]["id"]
        return name in ("tasks", f"tasks.{own}") or name.startswith(f"tasks.{own}.{at[2]}")
    return ".".join(map(str, at)).startswith(name)


@pytest.mark.parametrize("change", ["remove", "add", "reorder"])
def test_tasks_that_come_go_or_move_are_seen(change: str) -> None:
    """In a sequential plan their order is what happens."""
    tasks = list(Plan.model_validate(APPROVED).tasks)
    others = {"remove": tasks[1:], "add": [*tasks, task("new")], "reorder": tasks[::-1]}
    plan = Plan.model_validate(APPROVED).model_copy(update={"tasks": tuple(others[change])})
    assert "tasks" in contract.changes(plan)


def test_statuses_keys_and_white_space_are_no_change() -> None:
    """However the file is written, and however far its tasks are: in a thousand ways."""
    for number in range(1000):
        rng = Random(number)
        plan = deepcopy(APPROVED)
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
    plan = contract.approved(contract.settled(plan, model.Contract()), "ann", "now")
    again = Plan.model_validate(dump(plan))
    assert again == plan
    assert contract.changes(again) == []
    assert contract.renewed(again) == again


def test_a_definition_is_what_a_task_does_and_not_how_far_it_is() -> None:
    """Its role's prompt counts, its status does not."""
    one = task("a", role="dev")
    plain = Plan(roles={"dev": model.Role(system_prompt="Short.")}, tasks=(one,))
    done = plain.model_copy(update={"tasks": (one.model_copy(update={"status": "completed"}),)})
    other = plain.model_copy(update={"roles": {"dev": model.Role(system_prompt="Long.")}})
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
