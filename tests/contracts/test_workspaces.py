"""What every kind of workspace does, and what whatever is started in one can rely on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from aca import parse
from aca.attempts.site import Site, Sites
from aca.plans.plan import Plan
from aca.plans.task import Task
from aca.processes import process
from aca.safety.place import Patience, Place
from aca.sessions import session
from aca.workspaces import lifecycle
from aca.workspaces.containers.engine import connect
from aca.workspaces.docker import Dock
from tests.containers import IMAGE, engine, ours
from tests.project import Project
from tests.workspaces.checkout import git, repository

KINDS = ("inplace", "worktree", "docker around inplace", "docker around worktree")
every_kind = pytest.mark.parametrize("kind", KINDS)
MOUNTS = ("/usr:/usr", "/etc/alternatives:/etc/alternatives")


@dataclass
class Opened:
    """An attempt's site, opened."""

    site: Site
    place: Place
    logs: Path

    async def shell(self, script: str, timeout: float | None = None) -> tuple[int, str, bool]:
        """Exit code and output of a line of shell in the place, and whether it was stopped."""
        output = self.logs / "output"
        output.unlink(missing_ok=True)
        ended = await process.run(script, self.place, output=output, timeout=timeout)
        return ended.exit_code, output.read_text(), ended.timed_out


def plan(kind: str) -> Plan:
    docker = {"image": IMAGE, "mounts": MOUNTS, "network_mode": "none"} if kind.startswith("docker") else {}
    task = Task(id="work", title="Work", kind="command", command="true")
    given = {"defaults": {"workspace": kind.split()[-1]}, "docker": docker}
    return Plan.model_validate(given).model_copy(update={"tasks": (task,)})


@pytest.fixture
def checkout(project: Project, kind: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A repository with a file in it; nothing is left there of what runs in it."""
    if kind.startswith("docker"):
        engine()
    monkeypatch.setenv("XDG_STATE_HOME", str(project.home))
    repository(project, {".gitignore": ".aca\n", "given.txt": "given\n"})
    yield project
    if kind.startswith("docker"):
        assert ours(project) == []


@asynccontextmanager
async def opened(project: Project, kind: str, logs: Path) -> AsyncIterator[Opened]:
    """The first attempt's site in a workspace of *kind*; closed at the end."""
    made = plan(kind)
    commit = git(project, "rev-parse", "HEAD") if "worktree" in kind else ""
    one = session.create(project.root, parse.dump_text(made, "json"), commit)
    state = one.state()
    sites = Sites(one, state, Patience(20, 20))
    sites.share(lifecycle.in_place(one, state, None, print))
    if (trees := lifecycle.ready(one, state)) is not None:
        sites.use(trees)
    if kind.startswith("docker"):
        sites.dock = Dock(connect(os.environ), one, state)
    site = Site(sites, state.tasks["work"], 1)
    logs.mkdir(exist_ok=True)
    try:
        yield Opened(site, await site.open(), logs)
    finally:
        await site.close()
        await site.close()  # twice is once
        if sites.dock is not None:
            sites.dock.engine.close()


@every_kind
def test_what_is_started_there_works_on_the_ground(checkout: Project, kind: str, tmp_path: Path) -> None:
    """It finds the project's files and the marks of its attempt, and its output comes in order."""

    async def story() -> None:
        async with opened(checkout, kind, tmp_path / "logs") as here:
            code, said, _ = await here.shell(
                "cat given.txt; echo wrong >&2; echo $ACA_TASK; echo made >made.txt"
            )
            assert (code, said.split()) == (0, ["given", "wrong", "work"])
            assert here.place.inside("made.txt").read_text() == "made\n"
            assert (await here.shell("exit 3"))[0] == 3
            assert (await here.shell("no-such-program"))[0] == 127

    asyncio.run(story())


@every_kind
def test_names_that_are_said_there_are_understood(checkout: Project, kind: str, tmp_path: Path) -> None:
    """A program tells a file by the path it sees, and aca hands it paths that it can see."""

    async def story() -> None:
        async with opened(checkout, kind, tmp_path / "logs") as here:
            _, said, _ = await here.shell("echo $PWD/given.txt")
            assert here.place.name_of(Path(said.strip())) == "given.txt"
            assert here.place.has_file(said.strip())
            assert (await here.shell(f"cat {here.place.seen(here.place.path / 'given.txt')}"))[1] == "given\n"

    asyncio.run(story())


@every_kind
def test_streams_are_apart_and_input_ends(checkout: Project, kind: str, tmp_path: Path) -> None:
    """A program reads all that it is given, and what it prints is read while it runs."""

    async def story() -> None:
        async with opened(checkout, kind, tmp_path / "logs") as here:
            given, errors, copy = (here.logs / name for name in ("given", "errors", "copy"))
            given.write_bytes(b"word " * 100_000)
            argv = ["sh", "-c", "wc -c; echo aside >&2; exit 5"]
            async with process.stream(argv, here.place, stdin=given, stderr=errors, copy=copy) as child:
                lines = [line.strip() async for line in child.lines()]
            assert (lines, child.ended.exit_code) == ([b"500000"], 5)
            assert (errors.read_bytes(), copy.read_bytes().strip()) == (b"aside\n", b"500000")

    asyncio.run(story())


@every_kind
def test_what_takes_too_long_is_stopped_with_all_it_started(
    checkout: Project, kind: str, tmp_path: Path
) -> None:
    """It hears that it is interrupted first; in a session of its own nothing escapes."""
    script = "trap 'echo heard; exit 9' INT; setsid sh -c 'while :; do echo >>tick; sleep 0.02; done' & wait"

    async def story() -> None:
        async with opened(checkout, kind, tmp_path / "logs") as here:
            code, said, timed_out = await here.shell(script, timeout=1.0)
            # Its shell may have time to say that a job of its was killed.
            assert (code, said.split()[:1], timed_out) == (9, ["heard"], True)
            before = here.place.inside("tick").stat().st_size
            await asyncio.sleep(0.2)
            assert here.place.inside("tick").stat().st_size == before

    asyncio.run(story())


@every_kind
def test_what_is_left_is_kept_or_stays(checkout: Project, kind: str, tmp_path: Path) -> None:
    """As a commit that a ref holds; in place it is there, too."""

    async def story() -> None:
        async with opened(checkout, kind, tmp_path / "logs") as here:
            await here.shell("echo changed >given.txt")
            await here.site.keep(())
            assert here.site.kept is not None
            assert [change.path for change in here.site.kept.files] == ["given.txt"]
            assert checkout.read("given.txt") == ("given\n" if "worktree" in kind else "changed\n")
            assert git(checkout, "show", f"{here.site.kept.commit}:given.txt") == "changed"

    asyncio.run(story())


@every_kind
def test_another_ground_can_be_looked_at_in_the_same_way(
    checkout: Project, kind: str, tmp_path: Path
) -> None:
    """As merged work is: what is started there is held in as it is on the first."""

    async def story() -> None:
        async with opened(checkout, kind, tmp_path / "logs") as here:
            assert here.site.ground is not None
            bare = here.site.all.workspaces[kind.split()[-1]]
            other = await bare.open("work", 1)
            ground = await here.site.workspace.enclose(other, "work", 1)
            try:
                assert (ground.enclosure is None) == (here.place.enclosure is None)
                place = here.site.place_on(ground)
                ended = await process.run("test -f given.txt", place, output=here.logs / "other")
                assert ended.exit_code == 0
            finally:
                await here.site.workspace.close(ground)

    asyncio.run(story())
