"""Writes what a run of the benchmarks has measured into their README, and draws how a task's cost grows.

python -m benchmarks all --peers --json figures.json
python -m benchmarks agents --runs 9 --seconds 300 --json agents.json
python -m benchmarks.render figures.json agents.json

What stands in more than one of the files is taken from the last.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from benchmarks import goals
from benchmarks.measure import Figure, Sample, table

HERE = Path(__file__).parent
BEGIN, END = "<!-- figures -->\n", "<!-- end of the figures -->\n"
WIDTH, HEIGHT, MARGIN = 640, 360, 60


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.render", description=__doc__)
    parser.add_argument(
        "figures",
        type=Path,
        nargs="+",
        help="what `python -m benchmarks --json` has written; the last counts",
    )
    parser.add_argument("--into", type=Path, default=HERE, help="the directory of README.md and growth.svg")
    asked = parser.parse_args()
    kept = [json.loads(path.read_text()) for path in asked.figures]
    readme = asked.into / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    readme.write_text(before + BEGIN + "\n".join(_told(kept)) + END + after)
    if growth := _growth(_latest(kept)):
        (asked.into / "growth.svg").write_text(picture([(one.tasks, each(one)) for one in growth]))


def _told(kept: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    contests = _latest(kept)
    yield f"{kept[0]['machine']}; {_made(kept[0])}.\n"
    for again in kept[1:]:
        yield f"{', '.join(dict.fromkeys(one['name'] for one in again['contests']))}: {_made(again)}.\n"
    yield from goals.table([figure for one in contests for figure in one.figures])
    if len(growth := _growth(contests)) > 1:
        yield f"The time of agent tasks grows with their number to the power of {_exponent(growth):.2f}:\n"
        yield "![What one agent task costs in plans of more and more](growth.svg)\n"
    for name, those in groupby(contests, attrgetter("name")):
        yield f"## {name}\n\n`python -m benchmarks {name} --peers`\n"
        for one in those:
            yield from table(one.figures)
            yield from (f"{who}\n" for who in one.missing)


def _made(kept: Mapping[str, Any]) -> str:
    return f"commit {kept['commit']}, {kept['at']}"


@dataclass(frozen=True)
class _Contest:
    name: str
    figures: Sequence[Figure]
    missing: Sequence[str]


def _latest(kept: Sequence[Mapping[str, Any]]) -> list[_Contest]:
    """All contests in the order of their first file; what a later file has again is taken from there."""
    found: dict[tuple[str, str], _Contest] = {}
    for given in (contest for one in kept for contest in one["contests"]):
        figures = [_figure(figure) for figure in given["figures"]]
        title = figures[0].contest if figures else ""
        found[given["name"], title] = _Contest(given["name"], figures, given["missing"])
    return list(found.values())


def _growth(contests: Sequence[_Contest]) -> list[Figure]:
    return [figure for one in contests if one.name == "growth" for figure in one.figures]


def _exponent(growth: Sequence[Figure]) -> float:
    first, last = growth[0], growth[-1]
    return math.log(last.wall / first.wall) / math.log(last.tasks / first.tasks)


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
