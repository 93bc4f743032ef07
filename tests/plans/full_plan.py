"""A plan that says everything, approved, and every other value that its fields may have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any, get_args

from pydantic import ValidationError

from aca.plans import contract
from aca.plans.plan import Mode, Plan, dump
from aca.plans.provenance import Contract
from aca.plans.settings import Enforcement, Permissions
from aca.plans.task import GivenStatus, Kind

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
    "planning": [
        {"by": "replay", "at": "2026-01-02T03:00:00Z", "estimated": True,
         "usage": {"input_tokens": 9, "output_tokens": 8, "cache_read_tokens": 7, "cache_write_tokens": 6,
                   "cost_usd": 0.5}},
    ],
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
            "permissions": "full", "conversation": "own",
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


NOW = Contract(base_commit="c0ffee", tools={"aca": "1", "claude-cli": "2"}, references={"a.md": "cd" * 32})


def approved_plan() -> dict[str, Any]:
    plan = contract.settled(Plan.model_validate(FULL), NOW)
    return dump(contract.approved(plan, "ann", "2026-01-02T03:04:05Z", "fine"))


APPROVED = approved_plan()
_APPROVED = Plan.model_validate(APPROVED)


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
        options = (Kind, Mode, Permissions, Enforcement, GivenStatus)
        words = (
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
            "2026-01-01",
        )
        yield from (f"{value}x", *words)
        yield from (word for option in options for word in get_args(option))


def changed(at: tuple[str | int, ...]) -> Iterator[tuple[dict[str, Any], Plan]]:
    """The approved plan without what is at *at*, and with other values there, as long as it is a plan."""
    for other in (None, *candidates(value_at(APPROVED, at))):
        made = deepcopy(APPROVED)
        if other is None:
            del value_at(made, at[:-1])[at[-1]]
        else:
            value_at(made, at[:-1])[at[-1]] = other
        with suppress(ValidationError):
            plan = Plan.model_validate(made)
            if plan != _APPROVED:
                yield made, plan


def value_at(data: Any, at: tuple[str | int, ...]) -> Any:
    for step in at:
        data = data[step]
    return data


FIXED = ("status", "$schema", "format_version", "type")
"""What is no part of the contract, or has one value only: outputs are always objects."""
CHANGEABLE = [at for at in places(APPROVED) if at[-1] not in FIXED]


def is_named(names: Iterable[str], at: tuple[str | int, ...]) -> bool:
    """Whether one of *names* is of the field at *at*, or of the whole task whose id it is."""
    if at[0] == "approval":
        return "approval" in names or at[1] == "seal"
    if at[0] != "tasks":
        return any(written(at).startswith(name) for name in names)
    own = f"tasks.{APPROVED['tasks'][at[1]]['id']}"
    return any(name in ("tasks", own) or name.startswith(f"{own}.{at[2]}") for name in names)


def written(at: tuple[str | int, ...]) -> str:
    return ".".join(map(str, at))
