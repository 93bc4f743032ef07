"""Killed at any call of git: the next start goes on, nothing is lost, merged twice or left over."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.faults.plans import INPLACE, INPLACE_IN_GIT, RESUME, RUN, TREES, Story
from tests.faults.sites import Memory, Site
from tests.faults.tally import Tally

SAMPLE = 3


def make(path: Path, story: Story) -> Site:
    site = Site(path)
    site.write({"tasks.md": story.tasks, **story.files})
    if story.is_repository:
        site.make_repository()
    return site


@pytest.mark.parametrize("story", [TREES, INPLACE, INPLACE_IN_GIT], ids=lambda story: story.name)
def test_killed_at_a_call_of_git(story: Story, tmp_path: Path, tally: Tally) -> None:
    """SIGKILL right before and right after calls for worktrees, merges, and keeping work in place."""
    whole = make(tmp_path / "whole", story)
    ended = whole.aca(*RUN)
    assert ended.status == 0, whole.log()
    expected, result = whole.statuses(), story.result(whole)
    calls = ended.calls_of_git
    assert calls > 20
    points = [(number, when) for number in range(1, calls + 1) for when in ("before", "after")]
    for number, when in tally.sample(points, SAMPLE):
        site = make(tmp_path / f"{number}-{when}", story)
        site.aca(*RUN, kill={"git": number, "when": when})
        memory = Memory.of(site)
        again = RESUME if site.session() else RUN
        assert site.aca(*again).status == 0, f"{number} {when}\n{site.log()}"
        losses = memory.compared(site, expected)
        if (now := story.result(site)) != result:
            losses.wrong_states.append(f"{now}, not {result}")
        tally.add((number, when), losses)
        shutil.rmtree(site.path)
