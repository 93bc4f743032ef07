"""Where tokens and money went: the calls of sessions, added up by task, role, model, day or session."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aca import events as ev
from aca.plan import Plan, profile
from aca.report import words
from aca.report.spending import cost_text, document
from aca.spent import Spent, add_usage
from aca.state import SessionState

HEAD = ("calls", "input", "output", "cached", "cost")


@dataclass(frozen=True)
class Charge:
    """What one call used, or a whole agent in one attempt; None where nobody told."""

    session: str
    task: str
    role: str
    model: str
    at: float
    usage: ev.Usage | None
    estimated: bool
    origin: str = ""
    """The session that this was taken over from, where it is of a fork's past."""


class Book(SessionState):
    """A state that keeps every charge by itself."""

    def __init__(self, plan: Plan) -> None:
        self.charges: list[Charge] = []
        super().__init__(plan)

    def charge(
        self,
        event: ev.CallEnded | ev.AttemptEnded,
        usage: ev.Usage | None,
        *,
        call: ev.CallStarted | None = None,
        estimated: bool = False,
    ) -> None:
        super().charge(event, usage, call=call, estimated=estimated)
        task = self.tasks[event.task]
        gets = profile(self.plan, task)
        provider, model = (call.provider, call.model) if call else (gets.provider, gets.model)
        who = ", ".join(filter(None, (provider, model)))
        self.charges.append(
            Charge(
                self.session, task.id, task.role or "", who, event.at, usage, estimated, self._origin(event)
            )
        )

    def _origin(self, event: ev.Event) -> str:
        origin, _, until = self.forked_from.partition(":")
        return origin if origin and event.seq <= int(until) else ""


KEYS: dict[str, Callable[[Charge], str]] = {
    "task": lambda charge: charge.task,
    "role": lambda charge: charge.role or "(no role)",
    "model": lambda charge: charge.model,
    "day": lambda charge: time.strftime("%Y-%m-%d", time.localtime(charge.at)),
    "session": lambda charge: charge.session,
}
"""By what charges can be added up."""


@dataclass
class Row:
    """The sum of some charges."""

    name: str
    calls: int = 0
    usage: ev.Usage = field(default_factory=lambda: ev.Usage(cost_usd=0.0))
    spent: Spent = field(default_factory=Spent)

    def add(self, charge: Charge) -> None:
        self.calls += 1
        self.spent.add(charge.usage, estimated=charge.estimated)
        if charge.usage is not None:
            self.usage = add_usage(self.usage, charge.usage)

    @property
    def cells(self) -> tuple[str, ...]:
        """As text, in the order of ``HEAD``."""
        cached = self.usage.cache_read_tokens + self.usage.cache_write_tokens
        amounts = (self.calls, self.usage.input_tokens, self.usage.output_tokens, cached)
        return (*(f"{amount:,}" for amount in amounts), cost_text(self.spent))


def charges(plan: Plan, events: Iterable[ev.Event]) -> list[Charge]:
    """Every charge of one journal."""
    book = Book(plan)
    for event in events:
        book.apply(event)
    return book.charges


def once(found: Mapping[str, Iterable[Charge]]) -> Iterator[Charge]:
    """The charges of several sessions, by id, but what a fork has from one of them only there."""
    return (charge for charges in found.values() for charge in charges if charge.origin not in found)


def rows(found: Iterable[Charge], by: str) -> list[Row]:
    """One row per task, role, and so on, in the order in which they first appear; last of all the total."""
    made: dict[str, Row] = {}
    total = Row("total")
    for charge in found:
        name = KEYS[by](charge)
        for row in (made.setdefault(name, Row(name)), total):
            row.add(charge)
    return [*made.values(), total]


def table(made: list[Row], by: str) -> list[str]:
    """For people."""
    if len(made) == 1:
        return ["no model used"]
    lines = [(by, *HEAD), *((words.one_line(row.name, 60), *row.cells) for row in made)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return [_aligned(line, widths) for line in lines]


def _aligned(cells: tuple[str, ...], widths: list[int]) -> str:
    first, *numbers, cost = cells
    right = (f"{text:>{width}}" for text, width in zip(numbers, widths[1:], strict=True))
    return "  ".join([f"{first:<{widths[0]}}", *right, cost])


def documents(made: list[Row], by: str) -> dict[str, Any]:
    """For machines."""
    *parts, total = map(_document, made)
    return {"by": by, "rows": parts, "total": total}


def _document(row: Row) -> dict[str, Any]:
    used = row.usage
    return {
        "name": row.name,
        "calls": row.calls,
        "input_tokens": used.input_tokens,
        "output_tokens": used.output_tokens,
        "cache_read_tokens": used.cache_read_tokens,
        "cache_write_tokens": used.cache_write_tokens,
        **document(row.spent),
    }
