"""Killed at any call of git: the next start goes on, nothing is lost, merged twice or left over."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.faults.plans import INPLACE, INPLACE_IN_GIT, RESUME, RUN, TREES, Story
from tests.faults.sites import Memory, Site
from tests.faults.tally import Losses, Tally

SAMPLE = 2
"""How many points of each story are tried where not all of them are asked for."""
RESTORE = ("restore", "two", "--before")


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
        if not site.aca(*RUN, kill={"git": number, "when": when}).is_killed:
            continue
        memory = Memory.of(site)
        again = RESUME if site.session() else RUN
        assert site.aca(*again).status == 0, f"{number} {when}\n{site.log()}"
        losses = memory.compared(site, expected)
        if (now := story.result(site)) != result:
            losses.wrong_states.append(f"{now}, not {result}")
        tally.add((number, when), losses)
        shutil.rmtree(site.path)


def test_a_restore_killed_at_a_call_of_git(tmp_path: Path, tally: Tally) -> None:
    """What it has replaced can be brought back, whatever it came to; and it can be said again."""
    whole = make(tmp_path / "whole", INPLACE_IN_GIT)
    assert whole.aca(*RUN).status == 0, whole.log()
    before = texts(whole)
    calls = whole.aca(*RESTORE).calls_of_git
    after = texts(whole)
    assert before.keys() - after.keys() == {"b.txt"}
    points = [(number, when) for number in range(1, calls + 1) for when in ("before", "after")]
    for number, when in tally.sample(points, SAMPLE):
        site, losses = make(tmp_path / f"{number}-{when}", INPLACE_IN_GIT), Losses()
        site.aca(*RUN)
        if not site.aca(*RESTORE, kill={"git": number, "when": when}).is_killed:
            continue
        for command, wanted in ((("restore", "--undo"), before), (RESTORE, after)):
            site.aca(*command)
            if (now := texts(site)) != wanted:
                losses.lost.append(f"{' '.join(command)} leaves {now}, not {wanted}\n{site.log()}")
        losses.left_over += site.left_over()
        tally.add((number, when), losses)
        shutil.rmtree(site.path)


def texts(site: Site) -> dict[str, str]:
    return {path.name: path.read_text() for path in site.work.glob("*.txt")}
