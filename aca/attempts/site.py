"""Where one attempt works: from the opening of its ground to the merge of what it left there."""

from __future__ import annotations

import errno
import itertools
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import msgspec
from msgspec.structs import replace

from aca.attempts import rights
from aca.attempts.checks import run_check, tail
from aca.core import events as ev
from aca.core.state import SessionState
from aca.plans.check import Check
from aca.plans.plan import TOP, Profile, profile
from aca.plans.settings import Permissions
from aca.plans.task import Task
from aca.plans.values import Command, command_text
from aca.processes import process
from aca.safety import secrets
from aca.safety.guard import Guard, found
from aca.safety.place import Patience, Place
from aca.safety.protection import Protection, protection
from aca.sessions.session import Session
from aca.workspaces import git, merge
from aca.workspaces.base import Ground, Kept, Looking, TreeError, Workspace, finished
from aca.workspaces.docker import Dock, Docker
from aca.workspaces.inplace import Inplace
from aca.workspaces.worktree import Worktrees

log = logging.getLogger(__name__)

NAME_CHARS = 500
"""How much of a command that failed is told: it may hold a whole script."""
OUTPUT_CHARS = 400
"""How much of a failed command's output goes into the reason."""


class SetupError(Exception):
    """A fresh tree could not be set up; the message says what failed, and how."""


@dataclass
class Sites:
    """What is the same for the attempts of a session."""

    session: Session
    state: SessionState
    patience: Patience
    queue: merge.Queue | None = None
    """Where work in worktrees is merged; None where there is none."""
    dock: Dock | None = None
    """Where containers are made; None where no task needs one."""
    slots: set[int] = field(default_factory=set)
    """Numbers of the attempts that run now; no two have the same."""
    looking: Looking = field(default_factory=Looking)
    told: set[tuple[Permissions, tuple[str, ...]]] = field(default_factory=set)
    """Permissions and who keeps agents to them, as far as the log has it."""

    def __post_init__(self) -> None:
        self.workspaces: Mapping[str, Workspace] = {"inplace": Inplace(self.session, self.state)}

    def share(self, inplace: Inplace) -> None:
        """From now on what is done in the directory itself is kept as *inplace* does it."""
        self.workspaces = {**self.workspaces, "inplace": inplace}

    def use(self, trees: Worktrees) -> None:
        """From now on tasks may work in *trees*, and what they do there is merged."""
        self.workspaces = {**self.workspaces, "worktree": trees}
        self.queue = merge.Queue(trees, self.state.integrated)

    def workspace(self, gets: Profile) -> Workspace:
        """Where a task works that gets this."""
        kind = self.workspaces[gets.workspace]
        if gets.docker is None:
            return kind
        assert self.dock is not None  # made where the plan asks for containers
        return Docker(kind, self.dock, gets.docker)

    @cached_property
    def protection(self) -> Protection:
        held = self.state.plan.protect
        return protection(held.paths, held.commands)

    @cached_property
    def environment(self) -> dict[str, str]:
        return dict(os.environ)


class Site:
    """The site of attempt *number* at *task*. ``kept`` is what it left, once that is a commit."""

    def __init__(self, sites: Sites, task: Task, number: int) -> None:
        self.all, self.task, self.number = sites, task, number
        self.profile = profile(sites.state.plan, task)
        self.logs = sites.session.task_logs / task.id
        self.workspace = sites.workspace(self.profile)
        self.ground: Ground | None = None
        self.kept: Kept | None = None
        self.used: ev.ContainerUse | None = None
        self.slot = 0
        self.breaches: tuple[str, ...] = ()
        """What the agent has changed that is protected, in words."""

    @contextmanager
    def occupied(self) -> Iterator[None]:
        """The attempt has a number of its own meanwhile, for ports and the like."""
        self.slot = next(number for number in itertools.count() if number not in self.all.slots)
        self.all.slots.add(self.slot)
        try:
            yield
        finally:
            self.all.slots.discard(self.slot)

    async def open(self) -> Place:
        """The directory to work in. Raises SetupError, OutsideWorkspaceError or OSError."""
        self.ground = await self.workspace.open(self.task.id, self.number)
        await self.furnish(self.ground)
        if self.profile.docker is not None:
            self.ground = await self.enclosed(self.ground, await finished(lambda: self._fixed(self.ground)))
        return self.place_on(self.ground)

    async def enclosed(self, ground: Ground, fixed: Collection[Path] = ()) -> Ground:
        """*ground* in a container, where the task is to be in one and *fixed* can only be read."""
        return await self.workspace.enclose(ground, self.task.id, self.number, fixed)

    def _fixed(self, ground: Ground | None) -> list[Path]:
        """What is protected there, for an agent's container. A sandbox finds that out when it is made."""
        if ground is None or self.task.kind != "agent":
            return []
        return [path for _, path in found(self.all.protection, ground.root)]

    @property
    def conflicts(self) -> tuple[str, ...]:
        """Files that hold both sides of a conflict with what was merged meanwhile."""
        return self.ground.conflicts if self.ground else ()

    def place_on(self, ground: Ground) -> Place:
        """The directory the task works in, and the environment of everything it starts."""
        mark = f"{self.all.session.id}/{self.task.id}/{self.number}"
        env = {**self.surroundings(ground), **self.task.env, **self.marks(mark)}
        passed = self.profile.pass_env | self.task.env.keys()
        top = Place(
            *(ground.root, ground.root, env, mark, self.all.patience, passed),
            protection=self.all.protection,
            enclosure=ground.enclosure,
        )
        cwd = self.all.state.plan.cwd
        is_workspace = cwd == TOP and not ground.start  # whose links were resolved when aca was called
        place = top if is_workspace else replace(top, path=top.inside(cwd))
        if not place.path.is_dir():
            place.path.mkdir(parents=True, exist_ok=True)
        if self.task.cwd is None:
            return place
        path = place.inside(self.task.cwd)
        if not path.is_dir():
            what = "is no directory" if path.exists() else "does not exist"
            raise NotADirectoryError(errno.ENOTDIR, f"this working directory {what}", str(path))
        return replace(place, path=path)

    def surroundings(self, ground: Ground) -> Mapping[str, str]:
        """In a worktree nothing may point git to another one."""
        return git.clean(self.all.environment) if ground.start else self.all.environment

    def marks(self, mark: str) -> dict[str, str]:
        return {
            "ACA_SESSION": self.all.session.id,
            "ACA_TASK": self.task.id,
            "ACA_ATTEMPT": mark,
            "ACA_SLOT": str(self.slot),
            "ACA_PORT": str(self.all.state.plan.workspace.port + self.slot),
        }

    async def furnish(self, ground: Ground) -> None:
        """What a fresh tree needs before anybody can work in it. Raises SetupError."""
        if not ground.is_fresh:
            return
        if (setup := self.all.state.plan.workspace.setup) is not None:
            inside, output = await self.enclosed(ground), self.logs / f"{self.number}.setup.log"
            try:
                why = await run_command(setup, self.place_on(inside), output, self.profile.timeout)
            finally:
                await self.workspace.close(inside)
            if why:
                raise SetupError(f"workspace.setup failed: {why}")
        await self.workspace.settle(ground)

    @asynccontextmanager
    async def confined(self, place: Place) -> AsyncIterator[Place]:
        """*place* as an agent has it: kept to its permissions, watched where it could not be.

        Commands and checks of the plan are the user's own words, and nothing is put around them.
        """
        assert self.ground is not None
        common = self.ground.beside.common if self.ground.beside else None
        guard = await self.all.looking(lambda: Guard(place.protection, place.root, common))
        scratch = self.all.session.scratch / f"{self.task.id}/{self.number}"
        try:
            yield self._enclosed(place, self.ground, guard, scratch)
        finally:
            self.breaches = await self.all.looking(lambda: self._breaches(guard))
            if os.path.lexists(scratch):  # few agents start anything that has needed it
                await finished(lambda: shutil.rmtree(scratch, ignore_errors=True))

    def _enclosed(self, place: Place, ground: Ground, guard: Guard, scratch: Path) -> Place:
        """*place* in a sandbox of its own, where it is in nothing else and is to be."""
        permissions, sandbox = self.profile.permissions, self.all.state.plan.sandbox
        self._tell_rights()
        if place.enclosure is not None or not rights.encloses(sandbox, permissions):
            return place
        more = [rights.written_to(name, self.all.session.workspace, place.env) for name in sandbox.writable]
        return replace(place, enclosure=rights.enclosure(permissions, ground, guard, scratch, more))

    def _tell_rights(self) -> None:
        """Log them once, as most tasks have the same; every time where nothing is refused."""
        permissions, keepers = self.profile.permissions, rights.keepers(self.all.state.plan, self.profile)
        if permissions != "full" and (permissions, keepers) in self.all.told:
            return
        self.all.told.add((permissions, keepers))
        kept_by = ", ".join(keepers)
        log.info("task %s, attempt %s: %s, kept by %s", self.task.id, self.number, permissions, kept_by)

    def _breaches(self, guard: Guard) -> tuple[str, ...]:
        """A task's own tree is put back as it was; in a directory that others share it may have been them."""
        assert self.ground is not None
        is_own = self.ground.beside is not None
        return tuple(
            f"{name} (put back)" if is_own and guard.put_back(name) else name for name in guard.changed()
        )

    # -- what it leaves -----------------------------------------------------------------------------

    async def check(self, checks: Iterable[Check], place: Place) -> tuple[ev.CheckResult, ...]:
        """What *checks* say of the place as it is now."""
        return tuple([await run_check(check, place, self._checked) for check in checks])

    @property
    def _checked(self) -> Path:
        """The file for what checks print."""
        return self.logs / f"{self.number}.checks.log"

    async def keep(self, told: Iterable[ev.FileChange]) -> None:
        """Keep what is there now; *told* is what the agent says it changed. Raises TreeError."""
        if self.ground is not None:
            seen = [self._from_workspace(change) for change in told]
            self.kept = await self.workspace.keep(self.ground, self.task.id, self.number, seen)

    def _from_workspace(self, change: ev.FileChange) -> ev.FileChange:
        """*change*, its path seen from the workspace instead of where the task works."""
        here = Path(self.all.state.plan.cwd, self.task.cwd or "")
        return msgspec.structs.replace(change, path=os.path.normpath(here / change.path))

    async def leave(self, told: Iterable[ev.FileChange]) -> None:
        """Keep what a failed or interrupted attempt left, too."""
        if self.kept is not None:
            return
        try:
            await self.keep(told)
        except TreeError as error:
            log.warning("task %s, attempt %s: %s", self.task.id, self.number, error)

    async def close(self) -> None:
        """Take down what was there for the attempt alone, if that is not done yet."""
        if self.ground is not None and self.ground.enclosure is not None:
            ground, self.ground = self.ground, replace(self.ground, enclosure=None)
            self.used = await self.workspace.close(ground)

    async def merge(self, summary: str, is_over: Callable[[], bool]) -> merge.Merged | merge.Refused | None:
        """Let what was kept become part of the session's work. In place, it is that already.

        None where *is_over* said no, after all that takes time.
        """
        if self.ground is None or not self.ground.start or self.kept is None or self.all.queue is None:
            return merge.Merged("")
        return await self.all.queue.merge(self.task, self.kept, summary, self.check_merged, is_over)

    async def check_merged(self, commit: str, joined: bool) -> tuple[ev.CheckResult, ...]:
        """What the plan checks of merged work, and where others' is in it, the task's own checks again."""
        checks = (*self.all.state.plan.workspace.checks, *(self.task.checks if joined else ()))
        if not checks or self.all.queue is None:
            return ()
        bare = await self.all.queue.trees.integration(commit)
        try:
            await self.furnish(bare)
        except SetupError as error:
            return (ev.CheckResult("workspace.setup", False, output=str(error)),)
        ground = await self.enclosed(bare)
        try:
            return await self.check(dict.fromkeys(checks), self.place_on(ground))
        finally:
            await self.workspace.close(ground)


class CommandFailure(msgspec.Struct, frozen=True):
    """Why a command failed, as text, and whether that was its time limit."""

    reason: str
    timed_out: bool

    def __str__(self) -> str:
        return self.reason


async def run_command(command: Command, place: Place, output: Path, timeout: float) -> CommandFailure | None:
    """Why the command failed, None when it did not. What it prints is appended to *output*."""
    place = replace(place, env=secrets.without(place.env, place.passed))
    ended = await process.run(command, place, output=output, timeout=timeout)
    if ended.exit_code == 0 and not ended.timed_out:
        return None
    why = "timed out" if ended.timed_out else ended.how
    told = f"{_named(command)}: {why}\n{tail(output, place, OUTPUT_CHARS)}".rstrip()
    return CommandFailure(told, ended.timed_out)


def _named(command: Command) -> str:
    text = command_text(command)
    return text if len(text) <= NAME_CHARS else f"{text[:NAME_CHARS]}..."
