"""SIGKILL while containers are made, used and removed: the next start removes what is left, and goes on."""

from __future__ import annotations

import time

from aca.core import events as ev
from tests.containers import PROXY, SETTINGS, contained, networks, ours, with_proxy
from tests.faults.tally import Losses, Tally
from tests.project import Project

__all__ = ["contained"]
ITEMS = """\
- [ ] One {#one run="echo 1 >>one"}
- [ ] Two {#two run="cat one" needs=one}
"""
KILLS, SAMPLE = 25, 2


def test_containers_killed_at_a_moment(contained: Project, tally: Tally) -> None:
    """Of a run with a proxy and networks, spread over all of it; each is resumed to its end."""
    with_proxy()
    network = f"proxy_image: '{PROXY}', allow_hosts: api.anthropic.com"
    contained.write({"tasks.md": f"---\n{SETTINGS}, {network}}}\n---\n{ITEMS}"})
    began = time.monotonic()
    contained.start("--task-file", "tasks.md").finish(expect=0)
    whole = time.monotonic() - began
    for number in tally.sample(range(1, KILLS + 1), SAMPLE):
        while True:
            before = len(contained.sessions())
            running = contained.start("--task-file", "tasks.md")
            time.sleep(whole * number / (KILLS + 1))
            if running.process.poll() is None:
                break
            whole *= 0.8  # it is quicker now
        running.kill()
        begun = len(contained.sessions()) > before
        contained.run(*(("resume",) if begun else ("--task-file", "tasks.md")), expect=None)
        done = [one.task for one in contained.journal() if isinstance(one, ev.TaskCompleted)]
        losses = Losses(wrong_states=[] if done == ["one", "two"] else [f"completed are {done}"])
        losses.left_over += [str(one.name) for one in (*ours(contained), *networks(contained))]
        tally.add(f"kill {number}", losses)


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
