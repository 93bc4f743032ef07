"""Tasks that sleep, eight at once: how near the work comes to the lower bound, once it has begun.

What aca takes to begin and to end is in its time on the wall and not in its makespan, which is from the start
of the first task to the end of the last, by its journal. Others begin in a hundredth of a second.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks import peers, work
from benchmarks.measure import Contender, Contest
from benchmarks.processes import Command
from benchmarks.shapes import lower_bound, scattered, sleeps

EIGHT = 8
GRAPHS = 3
MAKESPAN, OF_THE_BOUND = "makespan s", "of the bound"
"""Columns; the second is the first as a share of the lower bound."""


def makespan(sizes: list[int], peered: bool) -> Iterator[Contest]:
    """Tasks that sleep, in graphs made at random. The bound says how soon they could be done by anyone."""
    for count in sizes:
        seconds = sleeps(count)
        commands = [[peers.installed("sleep"), str(one)] for one in seconds]
        for seed in range(GRAPHS):
            graph = scattered(count, seed)
            bound = lower_bound(graph, seconds, EIGHT)
            by_file = replace(work.aca(graph, commands, EIGHT), name="aca, by order in the file")
            ours = [work.aca(graph, commands, EIGHT, mode="intelligent"), by_file]
            rivals = [work.bare(graph, commands, EIGHT)]
            if peered:
                rivals += [work.make(graph, commands, EIGHT), work.ninja(graph, commands, EIGHT)]
            title = f"{count} tasks that sleep, graph {seed + 1}, at least {bound:.2f} s"
            yield Contest(title, [*(_timed(one, bound) for one in ours), *rivals], count)


def _timed(one: Contender, bound: float) -> Contender:
    """*one*, and what its journal says."""
    places: list[Path] = []

    def prepare(folder: Path) -> Command:
        places.append(folder)
        return one.prepare(folder)

    def seen() -> Mapping[str, float]:
        [journal] = places[-1].glob(".aca/sessions/*/journal.jsonl")
        told = [event for event in map(json.loads, journal.open()) if "task" in event]
        took = told[-1]["at"] - told[0]["at"]
        return {MAKESPAN: took, OF_THE_BOUND: took / bound}

    return replace(one, prepare=prepare, seen=seen)
