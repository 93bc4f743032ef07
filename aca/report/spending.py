"""What a session used of models: known, unknown or nothing, never one for another."""

from __future__ import annotations

from typing import Any

from aca.core import events as ev
from aca.core.spent import Spent, usage_of
from aca.core.state import SessionState
from aca.plans.plan import REPLAY, Plan, profile
from aca.report import words


def spending(state: SessionState) -> str:
    """What the session has used so far."""
    told = any(now.usage is not None for now in state.states.values())
    return spent_text(state.spent, reported=told or any(call.usage for call in state.plan.planning))


def planning_text(plan: Plan, by: str = "") -> str:
    """Who has made *plan* of a text, and what that took; *by* is who it was where no call says so."""
    spent = Spent()
    for call in plan.planning:
        spent.add(usage_of(call), estimated=call.estimated)
    who = ", then ".join(dict.fromkeys(call.by for call in plan.planning))
    reported = any(call.usage for call in plan.planning)
    return f"planned by {words.one_line(who or by)}: {spent_text(spent, reported=reported)}"


def spent_text(spent: Spent, *, reported: bool = True) -> str:
    """``1,200 tokens, $1.20 + 3 calls of unknown cost``; *reported*: somebody told what was used."""
    if not reported:
        return "tokens and cost unknown" if spent.silent else "no model used"
    least = "at least " if spent.silent else ""
    return f"{least}{words.counted(spent.tokens, 'token')}, {cost_text(spent)}"


def cost_text(spent: Spent) -> str:
    """``$1.20 + 3 calls of unknown cost, 1 call estimated``."""
    told = words.money(spent.cost_usd)
    if spent.unknown_costs:
        unknown = f"{words.counted(spent.unknown_costs, 'call')} of unknown cost"
        told = f"{told} + {unknown}" if spent.cost_usd else "cost unknown"
    return f"{told}, {words.counted(spent.estimated, 'call')} estimated" if spent.estimated else told


def document(spent: Spent) -> dict[str, Any]:
    """For machines: null where it is not known."""
    cost = round(spent.cost_usd, 6)
    return {
        "tokens": None if spent.silent else spent.tokens,
        "cost_usd": None if spent.unknown_costs else cost,
        "at_least": {"tokens": spent.tokens, "cost_usd": cost},
        "calls_of_unknown_cost": spent.unknown_costs,
        "estimated_calls": spent.estimated,
    }


def running_total(state: SessionState) -> str:
    """The same in brief and at no cost, to be shown while the session runs."""
    return spent_text(state.spent) if state.spent.tokens else ""


def usage_text(usage: ev.Usage | None) -> str:
    """One attempt's usage for people."""
    if usage is None:
        return "usage unknown"
    cost = "cost unknown" if usage.cost_usd is None else words.money(usage.cost_usd)
    return f"{words.counted(usage.tokens, 'token')}, {cost}"


def replayed(plan: Plan) -> bool:
    """Whether the model's side of some task is played back from a script."""
    agents = (task for task in plan.tasks if task.kind == "agent" and task.id not in plan.groups)
    return any(task.status == "pending" and profile(plan, task).provider == REPLAY for task in agents)
