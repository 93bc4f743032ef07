"""SIGKILL at any write of the journal of plans that use all there is: it goes on, and nothing is lost."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from aca.sessions.messages import Addition
from tests.faults.plans import RESUME, RUN, STORIES, Story
from tests.faults.sites import Memory, Site
from tests.faults.tally import Tally
from tests.model_server import ModelServer

SAMPLE = 2
"""How many points of each story are tried where not all of them are asked for."""


def make(story: Story, path: Path, model: ModelServer) -> Site:
    scenario = f"{story.name}-{path.name}".replace(" ", "-")
    story.say(model, scenario)
    site = Site(path, {"OLLAMA_HOST": model.url(scenario)})
    site.write({"tasks.md": story.tasks, **story.files})
    if story.is_repository:
        site.make_repository()
    return site


def go_on(site: Site, command: tuple[str, ...]) -> int:
    """Give *command* again, as a person would: what has begun is resumed, what was sent is not sent again."""
    if command[0] == "add" and is_added(site, command[1]):
        return 0
    is_run = command == RUN and site.session() is not None
    return site.aca(*(RESUME if is_run else command)).status


def is_added(site: Site, title: str) -> bool:
    one = site.session()
    assert one is not None
    sent = [said.task["title"] for _, said in one.messages() if isinstance(said, Addition)]
    return title in sent or title in [task.title for task in one.state().tasks.values()]


def carry_out(story: Story, site: Site, place: int = -1, kill: dict[str, Any] | None = None) -> Memory | None:
    """Give the commands of *story*; the one at *place* is killed, where it comes to that, and given again."""
    memory = None
    for number, command in enumerate(story.commands):
        ended = site.aca(*command, kill=kill if number == place else None)
        code = ended.status
        if ended.is_killed:
            memory = Memory.of(site)
            code = go_on(site, command)
    assert code == story.code, f"exit code {code}\n{site.log()}"
    return memory


@pytest.mark.parametrize("story", STORIES, ids=[story.name for story in STORIES])
def test_killed_at_a_write(story: Story, model: ModelServer, tmp_path: Path, tally: Tally) -> None:
    """Right before it, in the middle of it, and right after it: the same end as without."""
    story.needs()
    whole = make(story, tmp_path / "whole", model)
    writes = [whole.aca(*command).commits for command in story.commands]
    expected, result = whole.statuses(), story.result(whole)
    assert list(whole.left_over()) == [], whole.log()
    points = [
        (place, write, when)
        for place, count in enumerate(writes)
        for write in range(1, count + 1)
        for when in ("before", "torn", "after")
    ]
    for place, write, when in tally.sample(points, SAMPLE):
        site = make(story, tmp_path / f"{place}-{write}-{when}", model)
        memory = carry_out(story, site, place, {"commit": write, "when": when})
        if memory is None:
            continue
        losses = memory.compared(site, expected)
        if (now := story.result(site)) != result:
            losses.wrong_states.append(f"{now}, not {result}")
        tally.add((" ".join(story.commands[place]), write, when), losses)
        shutil.rmtree(site.path)
