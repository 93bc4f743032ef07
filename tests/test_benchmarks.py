"""The benchmarks still run: what they measure is not looked at here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", ["overhead", "resume", "makespan", "start", "parse"])
def test_a_benchmark_runs_once_with_a_few_tasks(tmp_path: Path, name: str) -> None:
    """Every contender that needs no installation ends well, and there is a figure for each."""
    kept = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", name, "--runs", "0", "--sizes", "3", "--json", str(kept)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(kept.read_text())
    assert "aca" in figures[0]["name"] or name == "parse"
    assert all(sample["wall"] > 0 for figure in figures for sample in figure["samples"])


def test_a_benchmark_that_is_not_there_is_refused() -> None:
    """With those that are."""
    command = [sys.executable, "-m", "benchmarks", "overheat"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "overhead" in ended.stderr
