"""How time grows with the number of tasks: as a power for each contender, and as a picture for aca."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from operator import attrgetter

from benchmarks.measure import Figure

WIDTH, HEIGHT, MARGIN = 640, 360, 60


def table(figures: Sequence[Figure]) -> Iterator[str]:
    """The power for each contender that had the same work in several sizes, as a Markdown table."""
    grown = {key: row for key, row in _rows(figures).items() if len(row) > 1}
    if not grown:
        return
    yield "| time grows with the number of tasks | from | to | to the power of |"
    yield "|---|---|---|---|"
    for (work, name), row in grown.items():
        yield f"| {name}: {work} | {row[0].tasks:,} | {row[-1].tasks:,} | {exponent(row):.2f} |"
    yield ""


def _rows(figures: Sequence[Figure]) -> dict[tuple[str, str], list[Figure]]:
    """Figures of the same work and contender, from few tasks to many."""
    rows = defaultdict(list)
    for figure in sorted(figures, key=attrgetter("tasks")):
        if figure.tasks:
            rows[figure.contest.replace(f"{figure.tasks} ", "", 1), figure.name].append(figure)
    return rows


def exponent(row: Sequence[Figure]) -> float:
    """1 where twice as many tasks take twice as long."""
    first, last = row[0], row[-1]
    return math.log(last.wall / first.wall) / math.log(last.tasks / first.tasks)


def each(figure: Figure) -> float:
    """Milliseconds per task."""
    return figure.wall / figure.tasks * 1000


def picture(points: Sequence[tuple[int, float]]) -> str:
    """Milliseconds per task over the number of tasks, which grows tenfold from mark to mark, as SVG."""
    first, last = math.log10(points[0][0]), math.log10(points[-1][0])
    highest = max(ms for _, ms in points) * 1.2

    def place(count: int, ms: float) -> tuple[float, float]:
        along = (math.log10(count) - first) / ((last - first) or 1.0)
        return MARGIN + along * (WIDTH - 2 * MARGIN), HEIGHT - MARGIN - ms / highest * (HEIGHT - 2 * MARGIN)

    placed = [(count, ms, *place(count, ms)) for count, ms in points]
    marks = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/><text x="{x:.1f}" y="{y - 12:.1f}">{ms:.2f} ms</text>'
        f'<text x="{x:.1f}" y="{HEIGHT - MARGIN + 20}">{count:,}</text>'
        for count, ms, x, y in placed
    )
    line = " ".join(f"{x:.1f},{y:.1f}" for *_, x, y in placed)
    axes = f"M{MARGIN},{MARGIN} V{HEIGHT - MARGIN} H{WIDTH - MARGIN}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        ' font-size="13" text-anchor="middle">\n<rect width="100%" height="100%" fill="#fff"/>\n'
        f'<path d="{axes}" fill="none" stroke="#888"/>\n'
        f'<polyline points="{line}" fill="none" stroke="#2563eb" stroke-width="2"/>\n'
        f'<g fill="#1e3a8a">{marks}</g>\n'
        f'<text x="{WIDTH / 2}" y="24" font-size="15">What one agent task costs, in plans of so many</text>\n'
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 12}">tasks in the plan</text>\n</svg>\n'
    )
