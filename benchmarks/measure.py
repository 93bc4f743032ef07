"""Runs contenders in turn, each in a directory of its own, and keeps what every run cost."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Command = list[str]
LONGEST = 900.0
"""Seconds after which a run is given up."""


@dataclass(frozen=True)
class Contender:
    """One of those that are compared. ``prepare`` fills an empty directory and returns what to run in it."""

    name: str
    prepare: Callable[[Path], Command]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Contest:
    """Contenders that do the same work; the first one is what the others are compared with."""

    title: str
    contenders: Sequence[Contender]
    tasks: int = 0
    """How many tasks the work has; 0 where that says nothing."""
    missing: Sequence[str] = ()
    """Who should have been among them, and why not."""


@dataclass(frozen=True)
class Sample:
    """One run: seconds on the wall, seconds of CPU with all children, and the largest process in MB."""

    wall: float
    cpu: float
    rss: float


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
    def spread(self) -> tuple[float, float]:
        walls = [sample.wall for sample in self.samples]
        return min(walls), max(walls)


class FailedError(Exception):
    """A contender's command did not end with exit code 0: its time would mean nothing."""


def hold(contest: Contest, runs: int) -> list[Figure]:
    """Run the contenders in turn, *runs* times after one that does not count. Raises FailedError."""
    samples: dict[str, list[Sample]] = {one.name: [] for one in contest.contenders}
    for number in range(runs + 1):
        for one in contest.contenders:
            sample = _run(one)
            if number or runs == 0:
                samples[one.name].append(sample)
    return [Figure(contest.title, name, contest.tasks, tuple(kept)) for name, kept in samples.items()]


def _run(one: Contender) -> Sample:
    with tempfile.TemporaryDirectory(prefix="aca-benchmark-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        command = one.prepare(folder)
        with (folder / ".output").open("wb") as output:
            began = time.perf_counter()
            child = subprocess.Popen(
                command, cwd=folder, env={**_ordinary(), **one.env}, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
            sample = _ended(child, began)
        if child.returncode:
            last = (folder / ".output").read_text(errors="replace")[-2000:]
            raise FailedError(f"{one.name} ended with {child.returncode}: {' '.join(command)}\n{last}")
    return sample


def _ordinary() -> dict[str, str]:
    """The environment without what would have Python compile every module anew in each process."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _ended(child: subprocess.Popen[bytes], began: float) -> Sample:
    """Wait for *child*; the kernel counts what it and the children it waited for have used."""
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    unit = 1024 if sys.platform == "linux" else 1024 * 1024
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def table(figures: Sequence[Figure]) -> Iterator[str]:
    """A Markdown table of one contest: medians, the spread, and ratios to the first row."""
    first = figures[0]
    yield f"### {first.contest}\n"
    yield "| | wall s (min-max) | ratio | CPU s | peak MB | ms per task |"
    yield "|---|---|---|---|---|---|"
    for one in figures:
        low, high = one.spread
        each = f"{one.wall / one.tasks * 1000:.2f}" if one.tasks else ""
        yield (
            f"| {one.name} | {one.wall:.3f} ({low:.3f}-{high:.3f}) | {one.wall / first.wall:.2f} "
            f"| {one.cpu:.2f} | {one.rss:.0f} | {each} |"
        )
    yield ""
