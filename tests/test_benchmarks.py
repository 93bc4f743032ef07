"""The benchmarks still run: what they measure is not looked at here."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.contests import CONTESTS
from benchmarks.measure import Contender, Contest, hold
from tests.project import SECONDS
from tests.real_parts import claude

ROOT = Path(__file__).parent.parent


AMONG = {
    "agents": ["aca"],
    "makespan": ["aca"],
    "rates": ["aca", "backoff alone"],
    "start": ["aca --version", "bare Python"],
    "tokens": ["one conversation, cached"],
}
"""Who is enough to see that it works, where each takes seconds to begin."""


@pytest.mark.parametrize("name", [name for name in CONTESTS if name != "growth"])
def test_a_benchmark_runs_once_with_a_few_tasks(tmp_path: Path, name: str) -> None:
    """Every contender that needs no installation ends well, and there is a figure for each."""
    if name == "agents":
        claude()
    kept = tmp_path / "figures.json"
    size = "1" if name == "agents" else "3"
    command = [sys.executable, "-m", "benchmarks", name, "--runs", "0", "--sizes", size, "--json", str(kept)]
    command += ["--only", *AMONG[name]] if name in AMONG else []
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    figures = [one for contest in json.loads(kept.read_text())["contests"] for one in contest["figures"]]
    assert "aca" in figures[0]["name"] or name in ("parse", "tokens")
    samples = [sample for figure in figures for sample in figure["samples"]]
    assert all(sample["wall"] > 0 for sample in samples)
    if name == "rates":
        assert [sample["seen"]["lost"] for sample in samples] == [0, 0]
    if name == "tokens":
        assert [sample["seen"]["calls"] for sample in samples] == [6]
        assert samples[0]["seen"]["cached, %"] > 50


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["overheat"], "there is no overheat: use some of overhead, "),
        (["--seconds", "nan"], "--seconds: nan is less than 0"),
        (["--json", "nowhere/figures.json"], "nowhere/figures.json: No such file or directory"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(args: list[str], told: str) -> None:
    """Before anything is measured or installed."""
    command = [sys.executable, "-m", "benchmarks", *args]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert told in ended.stderr


def test_an_interrupt_keeps_what_was_measured_and_leaves_nobody(tmp_path: Path) -> None:
    """Ctrl-C in a terminal goes to the benchmarks alone: what they started is in groups of its own."""
    kept, tasks = tmp_path / "figures.json", ["--sizes", "3", "20000"]
    command = [sys.executable, "-m", "benchmarks", "growth", "--runs", "0", *tasks, "--json", str(kept)]
    running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    started: list[psutil.Process] = []
    deadline = time.monotonic() + SECONDS
    while len(started) < 2 or not kept.read_text():  # the second one is aca, after the first contest
        assert time.monotonic() < deadline
        time.sleep(0.05)
        started = psutil.Process(running.pid).children(recursive=True)
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=60)
    assert (running.returncode, told) == (130, "interrupted: only what is printed above was measured\n")
    assert psutil.wait_procs(started, timeout=0)[1] == []
    assert [one["figures"][0]["tasks"] for one in json.loads(kept.read_text())["contests"]] == [3]


def test_who_fails_is_out_and_the_others_go_on(tmp_path: Path) -> None:
    """One broken peer costs its own row, and why is told; so does one that is not there any more."""
    broken, sound = Contender("broken", lambda _: ["false"]), Contender("sound", lambda _: ["true"])
    gone = Contender("gone", lambda folder: [str(folder / "moved")])
    held = hold(Contest("a contest", [broken, gone, sound]), 2, tmp_path)
    assert [(figure.name, len(figure.samples)) for figure in held.figures] == [("sound", 2)]
    assert held.failed["broken"].startswith("broken ended with 1\nfalse\n")
    assert held.failed["gone"].startswith("gone cannot be started: ")


def test_figures_are_written_into_the_readme(tmp_path: Path) -> None:
    """With the picture of how they grow; what stood there before is gone, and the words around it stay.

    What was measured again is taken from the later file, and compared turn by turn.
    """
    kept, again, readme = tmp_path / "figures.json", tmp_path / "again.json", tmp_path / "README.md"
    sample = {"wall": 2.0, "cpu": 1.0, "rss": 50.0, "seen": {"lost": 0}}
    figures = [
        {"contest": f"{count} agent tasks", "name": "aca", "tasks": count, "samples": [sample]}
        for count in (1000, 100_000)
    ]
    contests = [{"name": "growth", "figures": [one], "missing": []} for one in figures]
    about = {"machine": "a desk", "commit": "c0ffee"}
    with_claude = [_beside_claude([[9.0], [0.1]]), _beside_claude([[1.2, 2.1, 9.4], [1.0, 2.0, 8.9]])]
    kept.write_text(json.dumps({**about, "at": "now", "contests": [*contests, with_claude[0]]}))
    again.write_text(json.dumps({**about, "at": "later", "contests": with_claude[1:]}))
    readme.write_text("Before.\n<!-- figures -->\nold\n<!-- end of the figures -->\nAfter.\n")
    command = [sys.executable, "-m", "benchmarks.render", str(kept), str(again), "--into", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, timeout=60, check=True)
    text = readme.read_text()
    assert text.startswith("Before.\n")
    assert text.endswith("\nAfter.\n")
    assert "old" not in text
    assert "| aca | 2.000 (2.000-2.000) | 1.00 | 1.00 | 50 | 2.00 | 0 |" in text
    assert "| peak MB with 100,000 tasks | <= 600 | 50 | yes |" in text
    assert "| makespan beside ninja | <= 1 | not measured | |" in text
    assert "| ms on the wall added to claude, 1 at once | <= 50 | 25 | yes |" in text
    assert "| claude -p | 2.000 (1.000-8.900) | 0.95 |" in text
    assert "agents: a desk; commit c0ffee, later." in text
    assert "| aca: agent tasks | 1,000 | 100,000 | 0.00 |" in text
    picture = (tmp_path / "growth.svg").read_text()
    assert "2.00 ms" in picture
    assert "0.02 ms" in picture


def _beside_claude(walls: list[list[float]]) -> dict[str, object]:
    """A contest of aca with claude alone; each has taken so many seconds, turn by turn."""
    title, names = "8 tasks for claude, 1 at once", ["aca", "claude -p"]
    figures = [
        {
            "contest": title,
            "name": name,
            "tasks": 8,
            "samples": [{"wall": wall, "cpu": wall, "rss": 50.0, "seen": {}} for wall in turns],
        }
        for name, turns in zip(names, walls, strict=True)
    ]
    return {"name": "agents", "figures": figures, "missing": []}
