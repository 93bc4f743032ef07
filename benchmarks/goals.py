"""What the figures are to be, and which of that a run of the benchmarks has reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.growth import each
from benchmarks.makespan import GRAPHS, MAKESPAN, OF_THE_BOUND
from benchmarks.measure import Figure

Rows = Mapping[tuple[str, str], Figure]
"""Figures by the titles of their contests and the names of the contenders."""
BARE, TYPER = "bare asyncio loop", "bare typer --help"


@dataclass(frozen=True)
class Goal:
    """One figure, and how far it may go; *found* raises KeyError where it was not measured."""

    what: str
    limit: float
    found: Callable[[Rows], float]
    is_least: bool = False

    def value(self, rows: Rows) -> float | None:
        try:
            return self.found(rows)
        except KeyError:
            return None

    def told(self, rows: Rows) -> str:
        """A row of a table."""
        wanted, value = f"{'>=' if self.is_least else '<='} {self.limit:g}", self.value(rows)
        if value is None:
            return f"| {self.what} | {wanted} | not measured | |"
        is_reached = value >= self.limit if self.is_least else value <= self.limit
        return f"| {self.what} | {wanted} | {value:.3g} | {'yes' if is_reached else 'no'} |"


def _ratio(contest: str, one: str, other: str) -> Callable[[Rows], float]:
    return lambda rows: rows[contest, one].beside(rows[contest, other])


def _wall(contest: str, name: str) -> Callable[[Rows], float]:
    return lambda rows: rows[contest, name].wall


def _each(rows: Rows, contest: str) -> float:
    return each(rows[contest, "aca"])


def _graphs(rows: Rows) -> list[str]:
    """The titles of the contests about makespans."""
    found = sorted({contest for contest, _ in rows if "tasks that sleep" in contest})
    if len(found) < GRAPHS:
        raise KeyError("a graph")
    return found


def _over_the_bound(rows: Rows) -> float:
    return max(rows[graph, "aca"].seen[OF_THE_BOUND] for graph in _graphs(rows))


def _beside_ninja(rows: Rows) -> float:
    return max(rows[graph, "aca"].seen[MAKESPAN] / rows[graph, "ninja"].wall for graph in _graphs(rows))


def _limited(name: str, worst: Callable[[Sequence[float]], float]) -> Callable[[Rows], float]:
    """What a column says of aca at a limit, in the worst of its rows."""

    def found(rows: Rows) -> float:
        values = [
            figure.seen[name]
            for (contest, who), figure in rows.items()
            if "calls at a limit" in contest and who.startswith("aca")
        ]
        if not values:
            raise KeyError(name)
        return worst(values)

    return found


def _added(at_once: int, what: str) -> Callable[[Rows], float]:
    """Milliseconds that aca adds to each task of claude."""
    contest = f"8 tasks for claude, {at_once} at once"

    def found(rows: Rows) -> float:
        with_aca, alone = rows[contest, "aca"], rows[contest, "claude -p"]
        return with_aca.above(alone, what) / with_aca.tasks * 1000

    return found


AGENTS, WORD = "1000 agent tasks, layered", "the first word"
GOALS = (
    *(
        Goal(f"{count:,} layered commands, beside the bare loop", 1.3,
             _ratio(f"{count} commands, layered", "aca", BARE))
        for count in (1000, 10_000)
    ),
    Goal("1,000 layered commands, beside doit", 1.0, _ratio("1000 commands, layered", "aca", "doit")),
    Goal("an agent task that costs nothing, ms", 0.5, lambda rows: _each(rows, "10000 agent tasks, layered")),
    Goal("DBOS steps, beside it", 5, _ratio(AGENTS, "DBOS, steps", "aca"), is_least=True),
    Goal("Inspect's mock samples, beside it", 20, _ratio(AGENTS, "Inspect AI, mock model", "aca"),
         is_least=True),
    Goal("prefect, beside it", 20, _ratio(AGENTS, "prefect", "aca"), is_least=True),
    Goal("a task of 100,000 beside one of 1,000", 1.2,
         lambda rows: _each(rows, "100000 agent tasks") / _each(rows, "1000 agent tasks")),
    Goal("peak MB with 100,000 tasks", 600, lambda rows: rows["100000 agent tasks", "aca"].rss),
    Goal("10,000 tasks are done, s to say so", 0.5, _wall("nothing left to do of 10000", "aca")),
    Goal("makespan beside the lower bound", 1.03, _over_the_bound),
    Goal("makespan beside ninja", 1.0, _beside_ninja),
    Goal("aca --help beside bare typer", 1.2, _ratio(WORD, "aca --help", TYPER)),
    Goal("aca status beside bare typer", 2, _ratio(WORD, "aca status, no session", TYPER)),
    Goal("aca status of 1,000 tasks, the same", 2, _ratio(WORD, "aca status, 1000 tasks", TYPER)),
    Goal("rates: % of what is allowed", 98, _limited("% of the limit", min), is_least=True),
    Goal("rates: % refused", 1, _limited("% refused", max)),
    Goal("rates: lost calls", 0, _limited("lost", max)),
    *(Goal(f"a dry run of 10,000 tasks in {kind}, s", 2, _wall("a dry run of 10000 tasks", kind))
      for kind in ("json", "toml", "md")),
    Goal("a plan of 100,000 tasks in JSON is checked, s", 1.5,
         _wall("a plan of 100000 tasks, checked", "aca plan validate")),
    *(Goal(f"ms {'on the wall' if what == 'wall' else 'of CPU'} added to claude, {count} at once", 50,
           _added(count, what))
      for count in (1, 8) for what in ("wall", "cpu")),
)  # fmt: skip


def table(figures: Sequence[Figure], *, measured: bool = False) -> Iterator[str]:
    """All goals as a Markdown table; or, where there are any, those that were *measured*."""
    rows = {(figure.contest, figure.name): figure for figure in figures}
    goals = [goal for goal in GOALS if not measured or goal.value(rows) is not None]
    if goals:
        yield "| figure | wanted | measured | reached |"
        yield "|---|---|---|---|"
        yield from (goal.told(rows) for goal in goals)
        yield ""
