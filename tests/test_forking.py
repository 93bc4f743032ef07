"""A forked aca is like one whose Python has just started: what tests see of the one is true of the other."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator

from tests.pages import constant
from tests.project import Outcome, Project

LOOK = (
    "{ env | sort; umask; pwd; ulimit -n; ls /proc/self/fd; grep ^Sig[BIC] /proc/$PPID/status; cat; } >seen"
)
"""What a child sees of its own surroundings and of aca's, which is its parent."""
TASKS = f"""\
- [ ] Look {{#look run="{LOOK}"}}
- [ ] Fail {{#fail run="echo sorry; exit 3"}}
"""
SLOW = '- [ ] Wait {#wait run="touch begun; sleep 60"}\n'


def story(project: Project, anew: bool) -> Iterator[Outcome]:
    """A failure, a look at it, a mistake, and an interruption."""
    for args in (("run", "tasks.md"), ("show", "look"), ("shwo", "look")):
        yield project.start(*args, anew=anew).finish()
    running = project.start("run", "slow.md", anew=anew)
    running.until((project.root / "begun").exists)
    running.signal(signal.SIGINT)
    yield running.finish()


def test_a_forked_aca_does_what_one_does_that_starts_anew(project: Project) -> None:
    """Word for word, with the same exit codes; and what it starts finds the same around it."""
    told = []
    for anew in (True, False):
        project.write({"tasks.md": TASKS, "slow.md": SLOW})
        outcomes = list(story(project, anew))
        said = [(constant(one.stdout), constant(one.stderr), one.code) for one in outcomes]
        told.append([*said, constant(project.read("seen"))])
        shutil.rmtree(project.root / ".aca")
        for made in ("seen", "begun"):
            (project.root / made).unlink()
    assert [code for _, _, code in told[0][:-1]] == [1, 0, 2, 130]
    for fresh, forked in zip(*told, strict=True):
        assert fresh == forked
