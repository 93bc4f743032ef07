"""What a plan says of itself as a contract: what it was made on and with, and who has approved it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from aca.core import graph
from aca.core.estimate import Estimate
from aca.plans.plan import Plan, dump
from aca.report import estimates, spending, words


def told(plan: Plan) -> Iterator[str]:
    """Who planned it, tree and tools, and whether it is approved; nothing of a task file, which says none."""
    if plan.planning:
        yield spending.planning_text(plan)
    if plan.contract is not None:
        yield f"made on: {', '.join(_made_on(plan))}"
    if plan.approval is not None:
        note = f": {words.one_line(plan.approval.comment)}" if plan.approval.comment else ""
        yield f"approved by {words.one_line(plan.approval.by)}, {words.one_line(plan.approval.at)}{note}"
    elif plan.contract is not None:
        yield "not approved"


def _made_on(plan: Plan) -> Iterator[str]:
    assert plan.contract is not None
    if plan.contract.base_commit:
        yield f"commit {words.plain(plan.contract.base_commit)[:12]}"
    yield from (f"{name} {words.one_line(version)}" for name, version in plan.contract.tools.items())


def document(plan: Plan, found: Estimate, moved: Sequence[str]) -> dict[str, Any]:
    """The plan, its shape, its estimate and what has *moved* since it was made, for machines."""
    return {
        "plan": dump(plan),
        "levels": graph.levels(plan),
        "critical_path": graph.critical_path(plan),
        "estimate": estimates.document(found),
        "approved": plan.approval is not None,
        "moved": list(moved),
    }
