"""Estimates for people, and as a document for machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aca.core.estimate import ASSUMED, Assumption, Estimate, Guess, Spread, above, row_of
from aca.plans.plan import REPLAY, Plan
from aca.report import words

_DIGITS = 2
"""So many digits of an estimated number of tokens mean something."""


def guess_text(guess: Guess) -> str:
    """What one task may take: ``about 3m00s (P90 12m00s), 60,000 tokens (P90 240,000)``."""
    parts = [_span(guess.seconds), *_amounts(guess)]
    return f"about {', '.join(parts)}" if guess.seconds.p90 else ""


def _amounts(guess: Guess) -> Iterator[str]:
    if guess.tokens is None:
        yield "tokens unknown"
    elif guess.tokens.p90:
        yield _tokens(guess.tokens)
    if guess.cost_usd is not None and guess.cost_usd.p90:
        yield _money(guess.cost_usd)


def total(found: Estimate) -> Iterator[str]:
    """What the plan may take, and what that is from."""
    if not found.tasks:
        return
    yield f"estimate: {', '.join([_span(found.seconds), *_used(found)])}; {_from(found)}"


def _used(found: Estimate) -> Iterator[str]:
    if found.tokens.p90:
        yield _tokens(found.tokens) + _without(found.unknown_tokens)
    elif found.unknown_tokens:
        yield "tokens unknown"
    if found.cost_usd.p90:
        yield _money(found.cost_usd) + _without(found.unknown_costs)
    elif found.unknown_costs:
        yield "cost unknown"


def _without(unknown: int) -> str:
    return f" and what {words.counted(unknown, 'task')} will use" if unknown else ""


def _from(found: Estimate) -> str:
    count = len(found.tasks)
    if not found.assumed:
        return "from earlier sessions"
    return "assumed" if found.assumed == count else f"assumed for {found.assumed} of {count} tasks"


def assumptions(plan: Plan, found: Estimate) -> Iterator[str]:
    """The rows of the table of assumptions that the estimate rests on."""
    open_tasks = (task for task in plan.tasks if (guess := found.tasks.get(task.id)) and not guess.samples)
    rows = {row_of(plan, task) for task in open_tasks}
    for row, name in _ROWS.items():
        if row in rows:
            yield f"assumed: {name} takes {_assumed(ASSUMED[row])}"


_ROWS = {"agent": "an agent task", REPLAY: "one that is replayed", "command": "a command"}


def _assumed(row: Assumption) -> str:
    parts = [_span(row.seconds), *([_tokens(row.tokens)] if row.tokens.p90 else [])]
    return ", ".join(parts) + (" for each point of complexity (3 where not said)" if row.per_point else "")


def warnings(plan: Plan, found: Estimate) -> Iterator[str]:
    """Limits that the run may come to. A limit loses nothing, so that an estimate never refuses a run."""
    shown = {"max_cost_usd": words.money, "max_tokens": _count, "max_duration": words.lasting}
    for name, spread, cap in above(found, plan.limits):
        how = "probably" if spread.p50 > cap else "perhaps"
        amounts = f"{shown[name](spread.p50)}, P90 {shown[name](spread.p90)}"
        yield f"warning: the run will {how} stop at {name} = {shown[name](cap)}: it is estimated at {amounts}"


def document(found: Estimate) -> dict[str, Any]:
    """For machines: seconds, tokens and dollars; null where it is not known."""
    return {
        "seconds": _pair(found.seconds),
        "tokens": None if found.unknown_tokens else _pair(found.tokens),
        "cost_usd": None if found.unknown_costs else _pair(found.cost_usd),
        "assumed": found.assumed,
        "tasks": {name: _guess_document(guess) for name, guess in found.tasks.items()},
    }


def _guess_document(guess: Guess) -> dict[str, Any]:
    return {
        "seconds": _pair(guess.seconds),
        "tokens": guess.tokens and _pair(guess.tokens),
        "cost_usd": guess.cost_usd and _pair(guess.cost_usd),
        "samples": guess.samples,
        "touches": list(guess.touches),
    }


def _pair(spread: Spread) -> dict[str, float]:
    return {"p50": round(spread.p50, 4), "p90": round(spread.p90, 4)}


def _span(spread: Spread) -> str:
    return f"{words.lasting(spread.p50)} (P90 {words.lasting(spread.p90)})"


def _tokens(spread: Spread) -> str:
    return f"{_count(spread.p50)} tokens (P90 {_count(spread.p90)})"


def _count(number: float) -> str:
    return f"{int(float(f'{number:.{_DIGITS}g}')):,}"


def _money(spread: Spread) -> str:
    return f"{words.money(spread.p50)} (P90 {words.money(spread.p90)})"
