"""Where tokens and money went: the calls of sessions, added up by task, role, model, day or session."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from aca.core import events as ev
from aca.core.charges import PLANNING, Book, Charge, of_planning
from aca.core.spent import Spent, add_usage
from aca.report import words
from aca.report.spending import cost_text, document
from aca.sessions.session import Session

HEAD = ("calls", "input", "output", "cached", "cost")


KEYS: dict[str, Callable[[Charge], str]] = {
    "task": lambda charge: charge.task,
    "role": lambda charge: charge.role or "(no role)",
    "model": lambda charge: charge.model,
    "day": lambda charge: time.strftime("%Y-%m-%d", time.localtime(charge.at)),
    "session": lambda charge: charge.session,
}
"""By what charges can be added up."""


class Row(msgspec.Struct):
    """The sum of some charges."""

    name: str
    calls: int = 0
    usage: ev.Usage = msgspec.field(default_factory=lambda: ev.Usage(cost_usd=0.0))
    spent: Spent = msgspec.field(default_factory=Spent)

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


def charges(one: Session) -> list[Charge]:
    """Every charge of a session, after those for its plan. Raises what reading it raises."""
    book = one.folded(Book(one.plan))
    return [*of_planning(one.plan, book.session), *book.charges]


def once(found: Mapping[str, Sequence[Charge]]) -> Iterator[Charge]:
    """The charges of several sessions, by id: what a fork has from one of them only there, and what was paid
    for a plan only with the first that carried it out."""
    paid: set[tuple[Charge, ...]] = set()
    for charges in found.values():
        bill = tuple(msgspec.structs.replace(one, session="") for one in charges if one.task == PLANNING)
        is_paid = bill in paid
        paid.add(bill)
        for one in charges:
            if one.origin not in found and not (is_paid and one.task == PLANNING):
                yield one


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
