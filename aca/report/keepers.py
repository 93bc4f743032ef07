"""Who keeps agents to their permissions, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aca import rights
from aca.plan import Permissions, Plan, Task, profile
from aca.report import words


def told_of(plan: Plan, task: Task) -> str:
    """``workspace-write, kept by claude-cli itself and bubblewrap``."""
    gets = profile(plan, task)
    return f"{gets.permissions}, {_kept(plan, gets.provider, gets.permissions)}"


def told(plan: Plan) -> Iterator[str]:
    """A line for each kind of agent in the plan."""
    for (provider, permissions), count in rights.agents(plan).items():
        kept = _kept(plan, provider, permissions)
        yield f"{provider or 'no provider'}, {permissions}: {kept} ({words.counted(count, 'task')})"


def document(plan: Plan) -> list[dict[str, Any]]:
    """The same as plain data."""
    return [
        {"provider": provider, "permissions": permissions, "tasks": count,
         "kept_by": list(rights.keepers(plan, provider, permissions))}
        for (provider, permissions), count in rights.agents(plan).items()
    ]  # fmt: skip


def _kept(plan: Plan, provider: str | None, permissions: Permissions) -> str:
    return f"kept by {' and '.join(rights.keepers(plan, provider, permissions))}"
