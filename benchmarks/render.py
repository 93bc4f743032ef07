"""Writes what a run of the benchmarks has measured into their README, and draws how a task's cost grows.

python -m benchmarks all --peers --json figures.json
python -m benchmarks.render figures.json
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import goals
from benchmarks.measure import Figure, Sample, table

HERE = Path(__file__).parent
BEGIN, END = "<!-- figures -->\n", "<!-- end of the figures -->\n"
WIDTH, HEIGHT, MARGIN = 640, 360, 60


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.render", description=__doc__)
    parser.add_argument("figures", type=Path, help="what `python -m benchmarks --json` has written")
    parser.add_argument("--into", type=Path, default=HERE, help="the directory of README.md and growth.svg")
    asked = parser.parse_args()
    kept = json.loads(asked.figures.read_text())
    readme = asked.into / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    readme.write_text(before + BEGIN + "\n".join(_told(kept)) + END + after)
    if growth := _growth(kept):
        (asked.into / "growth.svg").write_text(picture([(one.tasks, each(one)) for one in growth]))


def _told(kept: Mapping[str, Any]) -> Iterator[str]:
    yield f"{kept['machine']}; commit {kept['commit']}, {kept['at']}.\n"
    yield from goals.table([figure for _, figures, _ in _contests(kept) for figure in figures])
    if len(growth := _growth(kept)) > 1:
        yield f"The time of agent tasks grows with their number to the power of {_exponent(growth):.2f}:\n"
        yield "![What one agent task costs in plans of more and more](growth.svg)\n"
    last = ""
    for name, figures, missing in _contests(kept):
        if name != last:
            yield f"## {name}\n\n`python -m benchmarks {name} --peers`\n"
            last = name
        yield from table(figures)
        yield from (f"{one}\n" for one in missing)


def _growth(kept: Mapping[str, Any]) -> list[Figure]:
    return [figure for name, figures, _ in _contests(kept) if name == "growth" for figure in figures]


def _exponent(growth: Sequence[Figure]) -> float:
    first, last = growth[0], growth[-1]
    return math.log(last.wall / first.wall) / math.log(last.tasks / first.tasks)


def _contests(kept: Mapping[str, Any]) -> Iterator[tuple[str, list[Figure], Sequence[str]]]:
    for one in kept["contests"]:
        yield one["name"], [_figure(given) for given in one["figures"]], one["missing"]


def _figure(given: Mapping[str, Any]) -> Figure:
    return Figure(**{**given, "samples": tuple(Sample(**sample) for sample in given["samples"])})


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


if __name__ == "__main__":
    main()
