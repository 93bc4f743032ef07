"""What was used of models, added up: what is known, what is estimated and what nobody told, each apart."""

from __future__ import annotations

import msgspec

from aca.core.events import Usage
from aca.plans.provenance import PlanningCall

MOST = 10**12
"""More tokens, or dollars, than anybody has used: whoever tells more is wrong."""


class Spent(msgspec.Struct):
    """The sum over some calls. A whole agent that calls its model by itself counts as one call."""

    tokens: int = 0
    cost_usd: float = 0.0
    """What is known; see ``unknown_costs``."""
    unknown_costs: int = 0
    """Calls whose cost nobody told."""
    silent: int = 0
    """Those of them that did not tell their tokens either."""
    estimated: int = 0
    """Calls that were cut off: what was reserved for them counts as used."""

    def add(self, usage: Usage | None, *, estimated: bool = False) -> None:
        """Count one call, None being one that told nothing."""
        self.silent += usage is None
        self.unknown_costs += usage is None or usage.cost_usd is None
        self.estimated += estimated
        if usage is not None:
            self.tokens += usage.tokens
            self.cost_usd += usage.cost_usd or 0.0


def usage_of(call: PlanningCall) -> Usage | None:
    """What a call used that helped to make a plan."""
    return None if call.usage is None else Usage(**call.usage.model_dump())


def money(dollars: float) -> str:
    """``$1.50``, ``$0.0123``: as many digits as it takes to see anything."""
    cents, rest = f"{dollars:.4f}"[:-2], f"{dollars:.4f}"[-2:].rstrip("0")
    return f"${dollars:,.2f}" if dollars >= 1 else f"${cents}{rest}"


def told_tokens(told: object) -> int:
    """So many tokens as somebody tells; 0 for what cannot be a number of them."""
    return int(told_cost(told) or 0)


def told_cost(told: object) -> float | None:
    """US dollars as somebody tells; None for what cannot be an amount."""
    if isinstance(told, int | float) and not isinstance(told, bool) and 0 <= told <= MOST:
        return float(told)
    return None


def add_usage(before: Usage | None, more: Usage) -> Usage:
    """Both together. A cost is known only where both are."""
    if before is None:
        return more
    known = before.cost_usd is not None and more.cost_usd is not None
    return Usage(
        input_tokens=before.input_tokens + more.input_tokens,
        output_tokens=before.output_tokens + more.output_tokens,
        cache_read_tokens=before.cache_read_tokens + more.cache_read_tokens,
        cache_write_tokens=before.cache_write_tokens + more.cache_write_tokens,
        cost_usd=(before.cost_usd or 0.0) + (more.cost_usd or 0.0) if known else None,
    )
