"""What a session used of models: known, unknown or nothing, never one for another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aca import events as ev
from aca.plan import REPLAY, Plan, profile
from aca.report import words
from aca.state import SessionState


@dataclass(frozen=True)
class Spending:
    """Tokens and cost of the attempts that told, and how many worked without telling."""

    tokens: int
    cost_usd: float
    reported: int
    """Tasks for which a provider told its usage."""
    silent: int
    """Attempts that worked with a model and did not tell what they used."""
    unknown_costs: int
    """Attempts whose cost is not known, the silent ones among them."""

    def __str__(self) -> str:
        if not self.reported:
            return "tokens and cost unknown" if self.silent else "no model used"
        least = "at least " if self.silent else ""
        return f"{least}{words.counted(self.tokens, 'token')}, {self._cost()}"

    def _cost(self) -> str:
        if not self.unknown_costs:
            return words.money(self.cost_usd)
        return f"cost at least {words.money(self.cost_usd)}" if self.cost_usd else "cost unknown"

    def document(self) -> dict[str, Any]:
        """For machines: null where it is not known."""
        return {
            "tokens": None if self.silent else self.tokens,
            "cost_usd": None if self.unknown_costs else self.cost_usd,
            "at_least": {"tokens": self.tokens, "cost_usd": self.cost_usd},
        }


def spending(state: SessionState) -> Spending:
    """What the session has used so far."""
    reported = sum(now.usage is not None for now in state.states.values())
    return Spending(state.tokens, round(state.cost_usd, 6), reported, state.silent, state.unknown_costs)


def running_total(state: SessionState) -> str:
    """The same in brief and at no cost, to be shown while the session runs."""
    told = Spending(state.tokens, state.cost_usd, 1, state.silent, state.unknown_costs)
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
