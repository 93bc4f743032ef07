"""Writes what runs of the benchmarks have measured into their README, and draws how a task's cost grows.

python -m benchmarks all --peers --json figures.json
python -m benchmarks agents --runs 9 --seconds 300 --json agents.json
python -m benchmarks.render figures.json agents.json

What stands in more than one of the files is taken from the last.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from benchmarks import goals, growth
from benchmarks.measure import Figure, Sample, table

HERE = Path(__file__).parent
BEGIN, END = "<!-- figures -->\n", "<!-- end of the figures -->\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.render", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    wanted = "what `python -m benchmarks --json` has written; the last counts"
    parser.add_argument("figures", type=Path, nargs="+", help=wanted)
    parser.add_argument("--into", type=Path, default=HERE, help="the directory of README.md and growth.svg")
    asked = parser.parse_args()
    try:
        kept = [_read(path) for path in asked.figures]
        write(kept, asked.into)
    except (OSError, ValueError) as error:
        parser.error(str(error))


def _read(path: Path) -> dict[str, Any]:
    """Raises OSError, ValueError."""
    try:
        kept: dict[str, Any] = json.loads(path.read_text())
        return {**kept, "contests": [_contest(one) for one in kept["contests"]]}
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{path} is not what `python -m benchmarks --json` writes: {error!r}") from error


def write(kept: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Raises OSError, ValueError."""
    readme = folder / "README.md"
    before, begin, rest = readme.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{readme} has no lines {BEGIN.strip()} and {END.strip()} to write between")
    readme.write_text(before + begin + "\n".join(_told(kept)) + end + after)
    if drawn := _growth(_latest(kept)):
        points = [(one.tasks, growth.each(one)) for one in drawn]
        (folder / "growth.svg").write_text(growth.picture(points))


def _told(kept: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    contests = _latest(kept)
    figures = [figure for one in contests for figure in one.figures]
    yield f"{_made(kept[0])}.\n"
    for again in kept[1:]:
        yield f"{', '.join(dict.fromkeys(one.name for one in again['contests']))}: {_made(again)}.\n"
    yield from goals.table(figures)
    yield from growth.table(figures)
    if len(_growth(contests)) > 1:
        yield "![What one agent task costs in plans of more and more](growth.svg)\n"
    for name, those in groupby(contests, attrgetter("name")):
        yield f"## {name}\n\n`python -m benchmarks {name} --peers`\n"
        for one in those:
            yield from table(one.figures)
            yield from (f"{who}\n" for who in one.missing)


def _made(kept: Mapping[str, Any]) -> str:
    return f"{kept['machine']}; commit {kept['commit']}, {kept['at']}"


@dataclass(frozen=True)
class _Contest:
    name: str
    figures: Sequence[Figure]
    missing: Sequence[str]

    @property
    def title(self) -> str:
        return self.figures[0].contest if self.figures else ""


def _contest(given: Mapping[str, Any]) -> _Contest:
    return _Contest(given["name"], [_figure(one) for one in given["figures"]], given["missing"])


def _figure(given: Mapping[str, Any]) -> Figure:
    return Figure(**{**given, "samples": tuple(Sample(**sample) for sample in given["samples"])})


def _latest(kept: Sequence[Mapping[str, Any]]) -> list[_Contest]:
    """All contests, those of a benchmark together; what a later file has again is taken from there.

    That something could not be measured is told no more where it was measured after all.
    """
    found = {(one.name, one.title): one for each in kept for one in each["contests"]}
    measured = {name for name, title in found if title}
    names = list(dict.fromkeys(name for name, _ in found))
    told = [one for one in found.values() if one.figures or one.name not in measured]
    return sorted(told, key=lambda one: names.index(one.name))


def _growth(contests: Sequence[_Contest]) -> list[Figure]:
    figures = [figure for one in contests if one.name == "growth" for figure in one.figures]
    return sorted(figures, key=attrgetter("tasks"))


if __name__ == "__main__":
    main()
