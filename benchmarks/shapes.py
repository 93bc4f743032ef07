"""Graphs of tasks, as lists of what each task needs: the same ones for every contender."""

from __future__ import annotations

import random

Graph = list[list[int]]
"""For each task, by its number, the numbers of those it needs."""


def chain(count: int) -> Graph:
    """Each needs the one before."""
    return [[number - 1] if number else [] for number in range(count)]


def fan(count: int) -> Graph:
    """One first, and all others need only that."""
    return [[0] if number else [] for number in range(count)]


def layered(count: int, width: int = 20, needs: int = 3) -> Graph:
    """Layers of *width* tasks, each of which needs *needs* of the layer before."""
    pick = random.Random(count)  # noqa: S311 - the same graph every time
    graph: Graph = []
    for number in range(count):
        layer = number // width
        above = range((layer - 1) * width, layer * width)
        graph.append(sorted(pick.sample(above, needs)) if layer else [])
    return graph


def scattered(count: int, seed: int, needs: int = 3, far: int = 40) -> Graph:
    """Each needs some of the *far* before it, *needs* at most."""
    pick = random.Random(seed)  # noqa: S311 - likewise
    graph: Graph = []
    for number in range(count):
        before = range(max(0, number - far), number)
        graph.append(sorted(pick.sample(before, pick.randint(0, min(needs, number)))))
    return graph


SHAPES = {"chain": chain, "fan-out": fan, "layered": layered}


def sleeps(count: int) -> list[float]:
    """Seconds that each task of a plan sleeps: 20 to 200 ms."""
    pick = random.Random(count)  # noqa: S311 - likewise
    return [round(pick.uniform(0.02, 0.2), 3) for _ in range(count)]


def lower_bound(graph: Graph, seconds: list[float], parallel: int) -> float:
    """No order is done sooner: the longest chain, or all work spread evenly."""
    ends: list[float] = []
    for needs, own in zip(graph, seconds, strict=True):
        ends.append(own + max((ends[one] for one in needs), default=0.0))
    return max(*ends, sum(seconds) / parallel)
