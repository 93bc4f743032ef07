"""Measures aca beside programs of its kind, several times in turn, and prints tables of that."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.contests import CONTESTS
from benchmarks.measure import FailedError, Figure, hold, table
from benchmarks.peers import MissingError


def main() -> int:
    asked = _arguments()
    figures: list[Figure] = []
    print(f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, {_cores()} cores\n")
    try:
        for name in asked.names or CONTESTS:
            contests, sizes = CONTESTS[name]
            for contest in contests(asked.sizes or sizes, asked.peers):
                measured = hold(contest, asked.runs)
                figures += measured
                print("\n".join([*table(measured), *contest.missing]), flush=True)
    except (FailedError, MissingError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if asked.json:
            asked.json.write_text(json.dumps([asdict(one) for one in figures], indent=1))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CONTESTS))
    parser.add_argument("--peers", action="store_true", help="beside its peers, installed on first use")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each, after one that is not (5)")
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of tasks, instead of the usual ones")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to FILE")
    asked = parser.parse_args()
    if unknown := set(asked.names) - CONTESTS.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}: use some of {', '.join(CONTESTS)}")
    return asked


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


sys.exit(main())
