"""SIGKILL while containers are made, used and removed: the next start removes what is left, and goes on."""

from __future__ import annotations

import time

import pytest

from aca import events as ev
from tests.containers import PROXY, SETTINGS, contained, networks, ours, with_proxy
from tests.project import Project

__all__ = ["contained"]
ITEMS = """\
- [ ] One {#one run="echo 1 >>one"}
- [ ] Two {#two run="cat one" needs=one}
"""
NETWORKS = {
    "none": ("network_mode: none", 13, 3),
    "allow-list": (f"proxy_image: '{PROXY}', allow_hosts: api.anthropic.com", 12, 2),
}
"""What a task file says of it, and how many kills there are in all and in a sample."""


@pytest.mark.parametrize("network", NETWORKS)
def test_nothing_is_left_of_runs_that_were_killed(
    contained: Project, request: pytest.FixtureRequest, network: str
) -> None:
    """At moments spread over a whole run; each is resumed to its end."""
    with_proxy()
    said, every, sample = NETWORKS[network]
    contained.write({"tasks.md": f"---\n{SETTINGS}, {said}}}\n---\n{ITEMS}"})
    began = time.monotonic()
    contained.run("--task-file", "tasks.md")
    whole = time.monotonic() - began
    kills = every if request.config.getoption("all") else sample
    for number in range(kills):
        before = len(contained.sessions())
        running = contained.start("--task-file", "tasks.md")
        time.sleep(whole * (number + 1) / (kills + 1))
        running.kill()
        begun = len(contained.sessions()) > before
        contained.run(*(("resume",) if begun else ("--task-file", "tasks.md")), expect=None)
        if begun:
            done = [one.task for one in contained.journal() if isinstance(one, ev.TaskCompleted)]
            assert done == ["one", "two"]
        assert (ours(contained), networks(contained)) == ([], []), f"kill {number}"


def test_containers_of_a_run_that_lives_are_left_alone(contained: Project) -> None:
    """By another run in the same workspace, and by gc; the doctor names those of a dead one."""
    wait = '- [ ] Wait {#wait run="touch begun; until test -e go; do sleep 0.05; done"}\n'
    contained.write({"wait.md": f"---\n{SETTINGS}}}\n---\n{wait}"})
    contained.write({"quick.md": f"---\n{SETTINGS}}}\n---\n- [ ] Be quick {{run=true}}\n"})
    running = contained.start("--task-file", "wait.md")
    running.until(lambda: (contained.root / "begun").exists())
    [container] = ours(contained)
    contained.run("--task-file", "quick.md")
    contained.run("gc")
    assert [one.id for one in ours(contained)] == [container.id]
    running.kill()
    assert f"container {container.name}" in contained.run("doctor", expect=None).stdout
    assert f"container {container.name}  would be removed" in contained.run("gc", "--dry-run").stdout
    assert f"container {container.name}  removed" in contained.run("gc").stdout
    assert ours(contained) == []
