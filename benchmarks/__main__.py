"""Measures aca beside programs of its kind, several times in turn, and prints tables of that."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.contests import CONTESTS
from benchmarks.measure import FailedError, hold, table
from benchmarks.peers import MissingError

ALL = "all"
SECONDS = 30.0
"""All of it is to take a quarter of an hour."""


def main() -> int:
    asked = _arguments()
    names = list(CONTESTS) if ALL in asked.names or not asked.names else asked.names
    kept: dict[str, Any] = {**_circumstances(), "contests": []}
    print(f"{kept['machine']}\n")
    try:
        for name in names:
            for contest in _held(name, asked):
                kept["contests"].append(contest)
    except FailedError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if asked.json:
            asked.json.write_text(json.dumps(kept, indent=1))
    return 0


def _held(name: str, asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The contests of one benchmark, each printed and as data. Raises FailedError."""
    contests, sizes = CONTESTS[name]
    try:
        for contest in contests(asked.sizes or sizes, asked.peers):
            chosen = [one for one in contest.contenders if not asked.only or one.name in asked.only]
            figures = hold(replace(contest, contenders=chosen), asked.runs, asked.seconds)
            if not figures:
                continue
            print("\n".join([*table(figures), *contest.missing]), flush=True)
            yield {"name": name, "figures": [asdict(one) for one in figures], "missing": contest.missing}
    except MissingError as error:  # there is nothing to compare
        print(f"### {name}\n\n{error}\n", flush=True)
        yield {"name": name, "figures": [], "missing": [str(error)]}


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
        "--runs", type=int, default=5, help="runs of each that count, after one that does not (5)"
    )
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="begin no further turn of a contest after so many (30)"
    )
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of tasks, instead of the usual ones")
    parser.add_argument("--only", nargs="+", metavar="CONTENDER", help="only these, as the tables call them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to FILE")
    asked = parser.parse_args()
    if unknown := set(asked.names) - {*CONTESTS, ALL}:
        parser.error(f"there is no {', '.join(sorted(unknown))}: use some of {', '.join(CONTESTS)}")
    return asked


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


sys.exit(main())
