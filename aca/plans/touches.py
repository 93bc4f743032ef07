"""Which files tasks say they work on: whether two could meet, and what one changed besides. Pure functions.

A pattern is a path, seen from where the plan works (its ``cwd``), in which ``*`` and ``?`` stand for
characters of one name and ``**`` for any directories. One whose last name has no dot may be a directory:
it means all that is in there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from glob import escape
from math import inf
from pathlib import PurePosixPath

from aca.plans.plan import Plan
from aca.plans.task import Task

_WILD = re.compile(r"[*?\[]")


Learned = Mapping[str, Sequence[str]]
"""Task id -> patterns for what the same work has changed before, besides what the task says."""
MOST = 20
"""So many patterns are learned of a task, at most: files, or else the directories they are in."""


def hold(task: Task, running: Sequence[Task], learned: Learned) -> float | None:
    """Infinity where *task* may touch a file that a running one may: it has to wait for an end."""
    mine, *others = ((*one.touches, *learned.get(one.id, ())) for one in (task, *running))
    if not mine:
        return None
    theirs = [pattern for patterns in others for pattern in patterns]
    return inf if any(overlap(one, other) for one in mine for other in theirs) else None


def learn(plan: Plan, task: Task, paths: Iterable[str]) -> tuple[str, ...]:
    """Patterns for those of *paths*, seen from the workspace, that *task* does not say it touches."""
    unsaid = outside(plan, task, paths) if task.touches else paths
    found = dict.fromkeys(escape(_seen(plan, path)) for path in unsaid)
    while len(found) > MOST:
        found = dict.fromkeys(_directory(path) for path in found)
    return tuple(found)


def _directory(path: str) -> str:
    parent = str(PurePosixPath(path).parent)
    return "**" if parent == "." else f"{parent}/"


def outside(plan: Plan, task: Task, paths: Iterable[str]) -> list[str]:
    """Those of *paths*, seen from the workspace, that *task* did not say; none where it said nothing."""
    if not task.touches:
        return []
    return [path for path in paths if not any(overlap(one, _seen(plan, path)) for one in task.touches)]


def _seen(plan: Plan, path: str) -> str:
    """*path* as it is called where the plan works."""
    full, cwd = PurePosixPath(path), PurePosixPath(plan.cwd)
    return str(full.relative_to(cwd)) if full.is_relative_to(cwd) else "../" * len(cwd.parts) + path


@lru_cache(maxsize=1 << 16)
def overlap(one: str, other: str) -> bool:
    """Whether there may be a file that both patterns mean. Says yes where it is not certain."""
    return _meet(_names(one), _names(other)) or _is_above(one, other) or _is_above(other, one)


def _is_above(one: str, other: str) -> bool:
    """Whether *one* is a plain path, with a dot in it or not, and *other* means something below that."""
    above, below = (tuple(name for name in path.split("/") if name not in ("", ".")) for path in (one, other))
    start = below[: len(above)]
    if _WILD.search(one) or "**" in start or not len(above) < len(below):
        return False
    return all(map(_may_be_same, above, start))


def _names(pattern: str) -> tuple[str, ...]:
    """The names of *pattern*; one that may be a directory's is followed by all that may be in it."""
    names = tuple(name for name in pattern.split("/") if name not in ("", "."))
    is_file = names and "." in names[-1][1:] and not pattern.endswith("/")
    return names if is_file else (*names, "**")


def _meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    if not one or not other:
        return all(name == "**" for name in (*one, *other))
    if one[0] == "**":
        return _meet(one[1:], other) or _meet(one, other[1:])
    if other[0] == "**":
        return _meet(one, other[1:]) or _meet(one[1:], other)
    return _may_be_same(one[0], other[0]) and _meet(one[1:], other[1:])


def _may_be_same(one: str, other: str) -> bool:
    """Whether some name fits both: of two patterns only beginnings and ends are compared."""
    if not _WILD.search(other):
        return fnmatchcase(other, one)
    if not _WILD.search(one):
        return fnmatchcase(one, other)
    starts, ends = zip(_edges(one), _edges(other), strict=True)
    longest_start, longest_end = max(starts, key=len), max(ends, key=len)
    return all(map(longest_start.startswith, starts)) and all(map(longest_end.endswith, ends))


def _edges(pattern: str) -> tuple[str, str]:
    """What stands before the first and behind the last wildcard."""
    return _WILD.split(pattern)[0], re.split(r"[*?\]]", pattern)[-1]
