"""Where each line of the text goes, so that none is lost: to the tasks made of it, or else to all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

SHARED_BY = 3
"""A line that more tasks are made of is told to every task, once."""


class Coverage(msgspec.Struct, frozen=True):
    """Lines by number, from 1."""

    quoted: list[list[int]]
    """For each task the lines that are told to it and to what is in it."""
    shared: list[int] = msgspec.field(default_factory=list)
    """Lines that are told to every task because many are made of them."""
    left: list[int] = msgspec.field(default_factory=list)
    """Lines that no task is made of."""

    @property
    def general(self) -> list[int]:
        """All that every task is told."""
        return sorted([*self.shared, *self.left])


def cover(
    wanted: Iterable[int], owners: Sequence[set[int]], parents: Sequence[int | None], own: Sequence[set[int]]
) -> Coverage:
    """Give each of the lines *wanted* to those of *owners* (lines by task) that are innermost.

    *own* are the lines that a task has as its title and description already, which are not quoted again.
    """
    by_line: dict[int, list[int]] = {}
    for task, lines in enumerate(owners):
        for line in lines:
            by_line.setdefault(line, []).append(task)
    found = Coverage([[] for _ in owners])
    for line in wanted:
        tasks = by_line.get(line, [])
        around = {above for task in tasks for above in _above(task, parents)}
        inner = [task for task in tasks if task not in around and line not in own[task]]
        if not tasks:
            found.left.append(line)
        elif len(inner) > SHARED_BY:
            found.shared.append(line)
        else:
            for task in inner:
                found.quoted[task].append(line)
    return found


def _above(task: int, parents: Sequence[int | None]) -> Iterable[int]:
    seen = {task}
    while (parent := parents[task]) is not None and parent not in seen:
        yield parent
        seen.add(parent)
        task = parent


def runs(lines: Iterable[int]) -> list[tuple[int, int]]:
    """(first, last) of each stretch of lines that follow each other."""
    stretches = (
        [number for _, number in group]
        for _, group in groupby(enumerate(sorted(lines)), key=lambda pair: pair[1] - pair[0])
    )
    return [(stretch[0], stretch[-1]) for stretch in stretches]


def named(first: int, last: int) -> str:
    """``line 3`` or ``lines 3-7``."""
    return f"line {first}" if first == last else f"lines {first}-{last}"
