"""Tasks that sleep, eight at once: how near the work comes to the lower bound, once it has begun.

What a program takes to begin and to end is in the time on the wall and not in the makespan, which is from the
start of the first task to the end of the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks import work
from benchmarks.measure import Command, Contender, Contest
from benchmarks.shapes import lower_bound, scattered, sleeps

EIGHT = 8
GRAPHS = 3
OF_THE_BOUND = "of the bound"
"""The column for the makespan as a share of the lower bound."""


def makespan(sizes: list[int], peered: bool) -> Iterator[Contest]:
    """Tasks that sleep, in graphs made at random. The bound says how soon they could be done by anyone."""
    sleep = str(work.PROGRAMS / "stamped_sleep")
    for count in sizes:
        seconds = sleeps(count)
        commands = [[sleep, str(one)] for one in seconds]
        for seed in range(GRAPHS):
            graph = scattered(count, seed)
            bound = lower_bound(graph, seconds, EIGHT)
            rivals = [
                work.aca(graph, commands, EIGHT, mode="intelligent"),
                replace(work.aca(graph, commands, EIGHT), name="aca, by order in the file"),
                work.bare(graph, commands, EIGHT),
            ]
            if peered:
                rivals += [work.make(graph, commands, EIGHT), work.ninja(graph, commands, EIGHT)]
            title = f"{count} tasks that sleep, graph {seed + 1}, at least {bound:.2f} s"
            yield Contest(title, [_timed(one, bound) for one in rivals], count)


def _timed(one: Contender, bound: float) -> Contender:
    """*one*, and what its tasks have written down of their starts."""
    places: list[Path] = []

    def prepare(folder: Path) -> Command:
        places.append(folder)
        return one.prepare(folder)

    def seen() -> Mapping[str, float]:
        lines = Path(f"{places[-1]}.starts").read_text().splitlines()
        slept = [(float(start), float(seconds)) for start, seconds in map(str.split, lines)]
        took = max(start + seconds for start, seconds in slept) - min(start for start, _ in slept)
        return {"makespan s": took, OF_THE_BOUND: took / bound}

    return replace(one, prepare=prepare, seen=seen)
