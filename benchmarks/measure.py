"""Runs contenders in turn, each in a directory of its own, and keeps what every run cost."""

from __future__ import annotations

import math
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.processes import Command, end_all, started

LONGEST = 600.0
"""Seconds after which a run is taken to hang, and ended."""
TIMED = [sys.executable, "-I", "-S", str(Path(__file__).parent / "programs" / "timed.py")]
UNIT = 1024 if sys.platform == "linux" else 1024 * 1024
"""How many of what the kernel counts memory in are a megabyte."""


@dataclass(frozen=True)
class Contender:
    """One of those that are compared. ``prepare`` fills an empty directory and returns what to run in it."""

    name: str
    prepare: Callable[[Path], Command]
    env: Mapping[str, str] = field(default_factory=dict)
    seen: Callable[[], Mapping[str, float]] = dict
    """What else there is to tell of the run that has just ended, by the names of columns."""


@dataclass(frozen=True)
class Contest:
    """Contenders that do the same work; the first one is what the others are compared with."""

    title: str
    contenders: Sequence[Contender]
    tasks: int = 0
    """How many tasks the work has; 0 where that says nothing."""
    missing: Sequence[str] = ()
    """Who should have been among them, and why not."""
    is_race: bool = False
    """All at the same time, once: for those that only wait."""


@dataclass(frozen=True)
class Sample:
    """One run: seconds on the wall, seconds of CPU with all children, and the largest process in MB."""

    wall: float
    cpu: float
    rss: float
    seen: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """What a contender's runs came to."""

    contest: str
    name: str
    tasks: int
    samples: tuple[Sample, ...]

    @property
    def wall(self) -> float:
        return statistics.median(sample.wall for sample in self.samples)

    @property
    def cpu(self) -> float:
        return statistics.median(sample.cpu for sample in self.samples)

    @property
    def rss(self) -> float:
        return max(sample.rss for sample in self.samples)

    @property
    def seen(self) -> dict[str, float]:
        names = self.samples[0].seen
        return {name: statistics.median(sample.seen[name] for sample in self.samples) for name in names}

    def beside(self, other: Figure) -> float:
        """How many times as long as *other*: by turns, for what is slow in one turn is slow for both."""
        return statistics.median(
            one.wall / two.wall for one, two in zip(self.samples, other.samples, strict=True)
        )

    def above(self, other: Figure, what: str) -> float:
        """How many seconds more of *what* ("wall", "cpu") than *other*, by turns."""
        pairs = zip(self.samples, other.samples, strict=True)
        return statistics.median(float(getattr(one, what) - getattr(two, what)) for one, two in pairs)

    @property
    def spread(self) -> tuple[float, float]:
        walls = [sample.wall for sample in self.samples]
        return min(walls), max(walls)


class FailedError(Exception):
    """A command did not end with exit code 0: its time would mean nothing. The first line says whose."""


@dataclass(frozen=True)
class Held:
    """What came of a contest: figures of those that ended well, and what became of the others."""

    figures: Sequence[Figure]
    failed: Mapping[str, str]


def hold(contest: Contest, runs: int, folder: Path, seconds: float = math.inf) -> Held:
    """Run the contenders in turn in *folder*, *runs* times after one that does not count; who fails is out.

    No further turn begins after so many *seconds*; where there was only the first one, that counts.
    """
    turns: dict[str, list[Sample]] = {one.name: [] for one in contest.contenders}
    failed: dict[str, str] = {}
    began = time.monotonic()
    for number in range(1 if contest.is_race else runs + 1):
        left = [one for one in contest.contenders if one.name in turns]
        for one, ended in _turn(left, folder / str(number), is_race=contest.is_race):
            if isinstance(ended, Sample):
                turns[one.name].append(ended)
            else:
                failed[one.name] = str(ended)
                del turns[one.name]
        if time.monotonic() - began > seconds:
            break
    figures = [
        Figure(contest.title, name, contest.tasks, tuple(samples[1:] or samples))
        for name, samples in turns.items()
    ]
    return Held(figures, failed)


Ended = Sample | FailedError


def _turn(
    contenders: Sequence[Contender], folder: Path, *, is_race: bool
) -> Iterable[tuple[Contender, Ended]]:
    """Each contender once."""
    places = [folder / str(number) for number, _ in enumerate(contenders)]
    with ThreadPoolExecutor(len(places) if is_race and places else 1) as pool:
        try:
            return list(zip(contenders, pool.map(_tried, contenders, places), strict=True))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            end_all()
            raise


def _tried(one: Contender, folder: Path) -> Ended:
    try:
        return _run(one, folder)
    except FailedError as error:
        return error
    except subprocess.CalledProcessError as error:  # before its time was taken
        return FailedError(f"{one.name} ended with {error.returncode}\n{shlex.join(error.cmd)}")
    except OSError as error:
        return FailedError(f"{one.name} cannot be started: {error}")


def _run(one: Contender, folder: Path) -> Sample:
    """Raises FailedError."""
    folder.mkdir(parents=True)
    command = one.prepare(folder)
    program = shutil.which(command[0])
    if program is None:  # its environment was moved, say
        raise FailedError(f"{one.name} cannot be started: there is no {command[0]}")
    output, cost = folder / ".output", folder / ".cost"
    timed = [*TIMED, str(cost), program, *command[1:]]
    with output.open("wb") as told, started(timed, folder, told, {**_ordinary(), **one.env}) as child:
        try:
            code = child.wait(LONGEST)
        except subprocess.TimeoutExpired:
            raise FailedError(f"{one.name} was not done after {LONGEST:.0f} seconds") from None
    if code:
        last = output.read_text(errors="replace")[-2000:]
        raise FailedError(f"{one.name} ended with {code}\n{shlex.join(command)}\n{last}")
    wall, cpu, size = map(float, cost.read_text().split())
    return Sample(wall, cpu, size / UNIT, dict(one.seen()))


def _ordinary() -> dict[str, str]:
    """The environment without what would have Python compile every module anew in each process."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def table(figures: Sequence[Figure]) -> Iterator[str]:
    """A Markdown table of one contest: medians, the spread, and ratios to the first row."""
    if not figures:
        return
    first = figures[0]
    names = ["wall s (min-max)", "ratio", "CPU s", "peak MB", "ms per task", *first.seen]
    yield f"### {first.contest}\n"
    yield f"| | {' | '.join(names)} |"
    yield "|---" * (len(names) + 1) + "|"
    for one in figures:
        low, high = one.spread
        each = f"{one.wall / one.tasks * 1000:.2f}" if one.tasks else ""
        seen = "".join(f" {value:,.6g} |" for value in one.seen.values())
        yield (
            f"| {one.name} | {one.wall:.3f} ({low:.3f}-{high:.3f}) | {one.beside(first):.2f} "
            f"| {one.cpu:.2f} | {one.rss:.0f} | {each} |{seen}"
        )
    yield ""
