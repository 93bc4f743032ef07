"""What a session used of models: known, unknown or nothing, never one for another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aca import events as ev
from aca.plan import Plan, profile
from aca.report import words
from aca.state import SessionState

REPLAY = "replay"
"""The provider that calls no model."""


@dataclass(frozen=True)
class Spending:
    """Tokens and cost of the attempts that told, and how many tasks worked without telling."""

    tokens: int
    cost_usd: float
    reported: int
    """Tasks for which a provider told its usage."""
    silent: int
    """Tasks that worked with a model and for which nobody told what it used."""
    unknown_costs: int
    """Attempts whose tokens are known and whose cost is not."""

    def __str__(self) -> str:
        if not self.reported:
            return "tokens and cost unknown" if self.silent else "no model used"
        unknown = self.unknown_costs or self.silent
        least = "at least " if self.silent else ""
        return f"{least}{words.counted(self.tokens, 'token')}, {self._cost(bool(unknown))}"

    def _cost(self, unknown: bool) -> str:
        if not unknown:
            return words.money(self.cost_usd)
        return f"cost at least {words.money(self.cost_usd)}" if self.cost_usd else "cost unknown"

    def document(self) -> dict[str, Any]:
        """For machines: null where it is not known."""
        known = not self.silent
        return {
            "tokens": self.tokens if known else None,
            "cost_usd": self.cost_usd if known and not self.unknown_costs else None,
            "at_least": {"tokens": self.tokens, "cost_usd": self.cost_usd},
        }


def spending(state: SessionState) -> Spending:
    """What the session has used so far."""
    worked = [task_id for task_id, now in state.states.items() if now.attempts and _has_model(state, task_id)]
    silent = sum(state.states[task_id].usage is None for task_id in worked)
    reported = sum(now.usage is not None for now in state.states.values())
    return Spending(state.tokens, round(state.cost_usd, 6), reported, silent, state.unknown_costs)


def _has_model(state: SessionState, task_id: str) -> bool:
    task = state.tasks[task_id]
    settled = state.states[task_id].settled
    is_agent = task.kind == "agent" and (task_id not in state.children or state.states[task_id].worked)
    return settled and is_agent and profile(state.plan, task).provider != REPLAY


def running_total(state: SessionState) -> str:
    """The same in brief and at no cost, to be shown while the session runs."""
    told = Spending(state.tokens, state.cost_usd, 1, 0, state.unknown_costs)
    return str(told) if state.tokens else ""


def usage_text(usage: ev.Usage | None) -> str:
    """One attempt's usage for people."""
    if usage is None:
        return "usage unknown"
    cost = "cost unknown" if usage.cost_usd is None else words.money(usage.cost_usd)
    return f"{words.counted(usage.tokens, 'token')}, {cost}"


def replayed(plan: Plan) -> bool:
    """Whether the model's side of some task is played back from a script."""
    groups = {task.parent_id for task in plan.tasks}
    agents = (task for task in plan.tasks if task.kind == "agent" and task.id not in groups)
    return any(task.status == "pending" and profile(plan, task).provider == REPLAY for task in agents)
