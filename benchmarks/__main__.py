"""Measures aca beside programs of its kind, several times in turn, and prints tables of that."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from benchmarks import goals, growth
from benchmarks.contests import CONTESTS
from benchmarks.measure import Figure, hold, table
from benchmarks.peers import MissingError

ALL = "all"
Number = TypeVar("Number", int, float)
SECONDS = 30.0
"""All of it is to take some half an hour."""


def main() -> int:
    asked = _arguments()
    names = list(CONTESTS) if ALL in asked.names or not asked.names else list(dict.fromkeys(asked.names))
    kept: dict[str, Any] = {**_circumstances(), "contests": []}
    print(f"{kept['machine']}\n")
    figures: list[Figure] = []
    try:
        # All that is left is removed at the end: ext4 looks for free inodes among those freed just now.
        with tempfile.TemporaryDirectory(prefix="aca-benchmark-", ignore_cleanup_errors=True) as folder:
            for contest in (one for name in names for one in _held(name, asked, Path(folder))):
                figures += contest["figures"]
                kept["contests"].append({**contest, "figures": [asdict(one) for one in contest["figures"]]})
                if asked.json:  # each time: who loses patience has what there is by then
                    asked.json.write_text(json.dumps(kept, indent=1))
    except KeyboardInterrupt:
        print("interrupted: only what is printed above was measured", file=sys.stderr)
        return 130
    print("\n".join([*growth.table(figures), *goals.table(figures, measured=True)]))
    return _verdict(figures, {name for one in kept["contests"] for name in one["failed"]}, asked.only or ())


def _verdict(figures: Sequence[Figure], failed: set[str], wanted: Sequence[str]) -> int:
    """The exit code; and a word on those who were asked for and took no part in anything."""
    absent = set(wanted) - failed - {figure.name for figure in figures}
    if absent:
        print(f"not measured: {', '.join(sorted(absent))}", file=sys.stderr)
    return 1 if failed or absent else 0


def _held(name: str, asked: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """The contests of one benchmark, each printed, and what of it is kept."""
    contests, sizes = CONTESTS[name]
    try:
        for number, contest in enumerate(contests(asked.sizes or sizes, asked.peers)):
            chosen = [one for one in contest.contenders if not asked.only or one.name in asked.only]
            place = folder / f"{name}-{number}"
            held = hold(replace(contest, contenders=chosen), asked.runs, place, asked.seconds)
            for text in held.failed.values():
                print(text, file=sys.stderr)
            missing = [*contest.missing, *(text.splitlines()[0] for text in held.failed.values())]
            if held.figures or missing:
                print("\n".join([*table(held.figures), *missing]), flush=True)
                yield {"name": name, "figures": held.figures, "missing": missing, "failed": [*held.failed]}
    except MissingError as error:  # there is nothing to compare
        print(f"### {name}\n\n{error}\n", flush=True)
        yield {"name": name, "figures": [], "missing": [str(error)], "failed": []}


def _circumstances() -> dict[str, str]:
    """When and where, and what was measured."""
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, {_cores()} cores"
    told = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(told, capture_output=True, text=True, check=False).stdout.strip()
    return {"machine": system, "commit": commit, "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(CONTESTS)}; or {ALL}")
    parser.add_argument("--peers", action="store_true", help="beside its peers, installed on first use")
    parser.add_argument(
        "--runs", type=_from(0), default=5, help="runs of each that count, after one that does not (5)"
    )
    parser.add_argument(
        "--seconds",
        type=_from(0.0),
        default=SECONDS,
        help="begin no further turn of a contest after so many (30)",
    )
    parser.add_argument(
        "--sizes", type=_from(1), nargs="+", help="numbers of tasks, instead of the usual ones"
    )
    parser.add_argument("--only", nargs="+", metavar="CONTENDER", help="only these, as the tables call them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to FILE")
    asked = parser.parse_args()
    if unknown := set(asked.names) - {*CONTESTS, ALL}:
        parser.error(f"there is no {', '.join(sorted(unknown))}: use some of {', '.join(CONTESTS)}")
    if asked.json:
        try:
            asked.json.open("a").close()
        except OSError as error:
            parser.error(f"--json {asked.json}: {error.strerror}")
    return asked


def _from(least: Number) -> Callable[[str], Number]:
    """Reads a number that is not less than *least*, and of its type."""

    def read(text: str) -> Number:
        number = type(least)(text)
        if not number >= least:  # NaN is not, either
            raise argparse.ArgumentTypeError(f"{text} is less than {least}")
        return number

    read.__name__ = type(least).__name__  # by which argparse calls what is no number
    return read


def _interrupted(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


for ending in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(ending, _interrupted)
sys.exit(main())
