"""Who keeps agents to their permissions, for people and for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from aca.attempts import rights
from aca.plans.plan import Plan, profile
from aca.plans.task import Task
from aca.report import words


def told_of(plan: Plan, task: Task) -> str:
    """``workspace-write, kept by claude-cli itself and bubblewrap``."""
    gets = profile(plan, task)
    return f"{gets.permissions}, kept by {' and '.join(rights.keepers(plan, gets))}"


def told(plan: Plan) -> Iterator[str]:
    """A line for each kind of agent in the plan."""
    for (provider, permissions, kept_by), count in _kinds(plan).items():
        who = f"{provider or 'no provider'}, {permissions}: kept by {' and '.join(kept_by)}"
        yield f"{who} ({words.counted(count, 'task')})"


def document(plan: Plan) -> list[dict[str, Any]]:
    """The same as plain data."""
    return [
        {"provider": provider, "permissions": permissions, "tasks": count, "kept_by": list(kept_by)}
        for (provider, permissions, kept_by), count in _kinds(plan).items()
    ]


def _kinds(plan: Plan) -> Counter[tuple[str | None, str, tuple[str, ...]]]:
    kinds: Counter[tuple[str | None, str, tuple[str, ...]]] = Counter()
    for gets, count in rights.agents(plan).items():
        kinds[gets.provider, gets.permissions, rights.keepers(plan, gets)] += count
    return kinds
