"""Which ready task next: pure functions of values.

``rank`` is the part that never changes while a task waits, so that ready tasks can live in a heap;
``choose`` decides among the few that share the best rank, by what has just been worked on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from aca.plans.plan import Mode
from aca.plans.task import Task

DEFAULT_COMPLEXITY = 3
LOOKAHEAD = 64
"""How many tasks of equal rank ``choose`` looks at: keeps a choice constant in the size of the plan."""

Rank = tuple[int, int]


def rank(task: Task, mode: Mode, path_length: int) -> Rank:
    """Smaller goes first: priority, then (``intelligent``) the longest chain of work behind the task."""
    return (-task.priority, -path_length if mode == "intelligent" else 0)


def weight(task: Task) -> int:
    """How much the task counts on a path: its estimated complexity."""
    return task.estimated_complexity or DEFAULT_COMPLEXITY


def choose(ready: Sequence[Task], recent: Sequence[Task], running: Collection[Task]) -> Task:
    """The best of *ready* (all of equal rank, in file order).

    First what shares files with *recent* work (oldest first), then what lies in the repository or area
    with the fewest *running* tasks, then in the one left alone the longest, then file order.
    """
    latest = _files(recent[-1]) if recent else set()
    busy = Counter(_area(task) for task in running)
    last_use = {_area(task): place for place, task in enumerate(recent)}

    def key(task: Task) -> tuple[int, int, int]:
        area = _area(task)
        return -_shared(_files(task), latest), busy[area], last_use.get(area, -1)

    return min(ready, key=key)


def _shared(mine: set[str], theirs: set[str]) -> int:
    """How many of my files are among theirs; either side may be a pattern."""
    return sum(any(_same(one, other) for other in theirs) for one in mine)


def _files(task: Task) -> set[str]:
    return {*task.touches, *task.file_refs}


def _same(one: str, other: str) -> bool:
    return one == other or fnmatchcase(one, other) or fnmatchcase(other, one)


def _area(task: Task) -> str:
    """Where a task plays: its repository, else its first tag."""
    return next(iter((*task.repository_refs, *task.tags)), "")
