"""Killed at any step of a worktree or a merge: the next start goes on, nothing is lost or merged twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.faults.plans import RESUME, RUN, TREES
from tests.faults.sites import Memory, Server, Site
from tests.faults.tally import Tally

SAMPLE = 5


def make(path: Path, server: Server) -> Site:
    site = Site(path, server)
    site.write({"tasks.md": TREES.tasks, **TREES.files})
    site.make_repository()
    return site


def test_killed_at_a_call_of_git(server: Server, tmp_path: Path, tally: Tally) -> None:
    """SIGKILL right before and right after the calls of which worktrees and merges are made."""
    whole = make(tmp_path / "whole", server)
    assert whole.aca(*RUN)["status"] == 0, whole.log()
    expected, result = whole.statuses(), TREES.result(whole)
    calls = json.loads((whole.path / "run-0.calls").read_text())
    assert calls > 40
    points = [(number, when) for number in range(1, calls + 1) for when in ("before", "after")]
    for number, when in tally.sample(points, SAMPLE):
        site = make(tmp_path / f"{number}-{when}", server)
        site.aca(*RUN, kill={"git": number, "when": when})
        memory = Memory.of(site)
        again = RESUME if site.session() else RUN
        assert site.aca(*again)["status"] == 0, f"{number} {when}\n{site.log()}"
        losses = memory.compared(site, expected)
        if (now := TREES.result(site)) != result:
            losses.wrong_states.append(f"{now}, not {result}")
        tally.add((number, when), losses)
        shutil.rmtree(site.path)
