"""A container around another kind of workspace: programs run in it, and see only what is theirs.

They find the ground at ``/workspace``, the user's repository at ``/repos``, which is read-only, and at
``/session`` a home that the attempts of a task share. git works in there, but writes nothing: what a task
leaves is committed from outside.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from msgspec.structs import replace

from aca.core.events import ContainerUse, FileChange
from aca.core.state import SessionState
from aca.plans.container import ASSIGNMENT, HOME, REPOSITORY, WORKSPACE, Container, mount
from aca.safety.place import PRIVATE
from aca.sessions.session import Session
from aca.workspaces.base import Ground, Kept, Workspace, finished
from aca.workspaces.choice import uses_containers
from aca.workspaces.containers.contained import ALIVE, Contained, View, passes
from aca.workspaces.containers.engine import (
    ATTEMPT,
    LABEL,
    OWNER,
    SESSION,
    TASK,
    Engine,
    Left,
    connect,
    naming,
    owner,
)
from aca.workspaces.containers.network import GATEWAY, Gated, close_gated, open_gated
from aca.workspaces.repository import Repository, find
from aca.workspaces.tree import Tree

GIT = "/git"
"""Where git's own directory is inside."""
MARK = "containers"
"""In a session's directory, while there may be containers of it."""
_SETTINGS = {
    "IS_SANDBOX": "1",  # claude does not skip permissions for root unless it is told so
    "GIT_CONFIG_COUNT": "1",  # files inside may belong to another user than the one who runs there
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
}


class Dock(msgspec.Struct, frozen=True, dict=True):
    """What is the same for the containers of a session."""

    engine: Engine
    session: Session
    state: SessionState

    @cached_property
    def repository(self) -> Repository | None:
        return find(self.session.workspace)

    @property
    def files(self) -> Path:
        """Files of ours that are mounted; where it is, there may be containers."""
        return self.session.path / MARK

    @property
    def nothing(self) -> Path:
        """A directory with nothing in it."""
        return self.files / "nothing"

    def home(self, task_id: str) -> Path:
        """The home of the agent that does the task; those that share a conversation share it."""
        shared = self.state.shared_by(self.state.tasks[task_id]) or f"task:{task_id}"
        return self.session.path / "homes" / re.sub(r"[^\w.-]", "-", shared)


def dock(one: Session, state: SessionState, environ: Mapping[str, str]) -> Dock | None:
    """Where the session's containers are made; None where it needs none. Raises EngineError."""
    return Dock(connect(environ), one, state) if uses_containers(state.plan) else None


def tag(container: Container, workspace: Path) -> str:
    """The image that a container is made of; what is built has a name of its own where none is given."""
    if container.image is not None:
        return container.image
    mark = hashlib.sha256(os.fsencode(workspace)).hexdigest()[:8]
    return f"aca-{re.sub(r'[^a-z0-9]+', '-', workspace.name.lower()).strip('-') or 'image'}-{mark}"


class Docker(msgspec.Struct, frozen=True):
    """A workspace of another kind, with a container for each attempt."""

    around: Workspace
    dock: Dock
    container: Container

    async def open(self, task_id: str, attempt: int) -> Ground:
        return await self.around.open(task_id, attempt)

    async def settle(self, ground: Ground) -> None:
        await self.around.settle(ground)

    async def keep(
        self, ground: Ground, task_id: str, attempt: int, told: Collection[FileChange] = ()
    ) -> Kept | None:
        return await self.around.keep(ground, task_id, attempt, told)

    async def enclose(
        self, ground: Ground, task_id: str, attempt: int, fixed: Collection[Path] = ()
    ) -> Ground:
        """*ground* in a container of its own. Raises MachineError."""
        building = _Building(self.dock, self.container, ground, task_id, attempt, fixed)
        try:
            return replace(ground, enclosure=await finished(building.open))
        except asyncio.CancelledError:
            await finished(building.remove)  # it was made all the same
            raise

    async def close(self, ground: Ground) -> ContainerUse | None:
        """Remove the container; what it has used, where that is known."""
        if isinstance(ground.enclosure, Contained):
            return await ground.enclosure.close()
        return None


@dataclass
class _Building:
    """The making of one container."""

    dock: Dock
    plan: Container
    ground: Ground
    task_id: str
    attempt: int
    fixed: Collection[Path] = ()
    """What in the ground can only be read."""
    network: Gated | None = None

    @cached_property
    def name(self) -> str:
        task = re.sub(r"[^a-zA-Z0-9_.-]+", "-", self.task_id)[:40]
        return f"aca-{self.dock.session.id}-{task}-{self.attempt}-{os.urandom(2).hex()}"

    @cached_property
    def labels(self) -> dict[str, str]:
        return {
            LABEL: str(self.dock.session.workspace),
            OWNER: owner(),
            SESSION: self.dock.session.id,
            TASK: self.task_id,
            ATTEMPT: str(self.attempt),
        }

    @cached_property
    def home(self) -> Path:
        return self.dock.home(self.task_id)

    @cached_property
    def assignment(self) -> Path:
        return self.dock.session.task_logs / self.task_id / str(self.attempt)

    def open(self) -> Contained:
        """Make it and start it; nothing is left of it where that fails. Raises EngineError."""
        engine = self.dock.engine
        self._make_directories()
        try:
            if self.plan.network_mode == "allow":
                self.network = open_gated(
                    engine, self.name, self.plan.proxy_image, self.plan.allow_hosts, self.labels
                )
            with naming(f"starting a container of {self.image}"):
                made = engine.client.containers.create(**self._settings())
                left = Left("container", made.id, self.name, self.labels)
                made.start()
        except BaseException:
            self.remove()
            raise
        more = (*self.plan.env, *self._needed)
        return Contained(engine, left, self._views, passes(more), self.remove)

    def remove(self) -> None:
        """Take it down. What cannot be removed now is found by the next run."""
        close_gated(self.dock.engine, [Left("container", self.name, self.name, self.labels)])
        if self.network is not None:
            close_gated(self.dock.engine, self.network.parts)

    def _make_directories(self) -> None:
        self.dock.nothing.mkdir(parents=True, exist_ok=True)
        self.assignment.mkdir(parents=True, exist_ok=True)
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.getuid() == 0:
            shutil.chown(self.home, *self._owner)

    # -- what it is made of ---------------------------------------------------------------------------

    @property
    def image(self) -> str:
        return tag(self.plan, self.dock.session.workspace)

    @property
    def _owner(self) -> tuple[int, int]:
        """To whom the ground belongs."""
        found = self.ground.top.stat()
        return found.st_uid, found.st_gid

    @property
    def _user(self) -> str:
        if self.plan.user is not None:
            return self.plan.user
        return "0:0" if self.dock.engine.is_rootless else ":".join(map(str, self._owner))

    @property
    def _needed(self) -> Iterator[str]:
        """Variables that agents of the plan's own declare to need."""
        for given in self.dock.state.plan.providers.values():
            needs = given.get("needs_env")
            yield from (
                [needs] if isinstance(needs, str) else map(str, needs) if isinstance(needs, list) else ()
            )

    def _settings(self) -> dict[str, Any]:
        return {
            "image": self.image,
            "entrypoint": ["/bin/sh"],
            "command": ["-c", ALIVE],
            "name": self.name,
            "labels": self.labels,
            "user": self._user,
            "working_dir": WORKSPACE,
            "environment": {"HOME": HOME, **_SETTINGS, **(self.network.variables if self.network else {})},
            "mounts": list(self._mounts()),
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            **self._limits(),
            **self._reach(),
        }

    def _limits(self) -> dict[str, Any]:
        plan, memory = self.plan, self.plan.memory_limit
        given: dict[str, Any] = {"pids_limit": plan.pids_limit, "read_only": plan.read_only}
        if plan.read_only:
            given["tmpfs"] = {"/tmp": "rw,exec,mode=1777"}  # noqa: S108 - in the container
        if plan.cpu_limit is not None:
            given["nano_cpus"] = round(plan.cpu_limit * 1e9)
        if memory is not None:
            given |= {"mem_limit": memory, "memswap_limit": memory}
        return given

    def _reach(self) -> dict[str, Any]:
        """What it can reach. Where names lead nowhere, nobody is asked for them: that would take long."""
        if self.network is not None:
            return {"network_mode": self.network.name, "dns": ["127.0.0.1"]}
        hosts = GATEWAY if self.plan.network_mode == "bridge" else {}
        return {"network_mode": self.plan.network_mode, "extra_hosts": hosts}

    @cached_property
    def _views(self) -> list[View]:
        """What is shown, the innermost first: in place, all of it lies in the workspace."""
        pairs = [(self.assignment, ASSIGNMENT), (self.home, HOME), (self.ground.top, WORKSPACE)]
        pairs.append((self._shown_repository, REPOSITORY))
        return [View(outside, PurePosixPath(inside)) for outside, inside in pairs]

    @property
    def _shown_repository(self) -> Path:
        return self.dock.repository.top if self.dock.repository else self.dock.session.workspace

    def _mounts(self) -> Iterator[Any]:
        writable = {WORKSPACE, HOME}
        for view in self._views:
            yield _bind(view.outside, str(view.inside), "rw" if str(view.inside) in writable else "ro")
        for hidden in self._hidden():
            yield _bind(self.dock.nothing, hidden, "ro")
        yield from self._git()
        for path in self.fixed:
            inside = path.relative_to(self.ground.top)
            if inside.parts[0] != ".git" and not path.is_symlink():  # what a link leads to may be outside
                yield _bind(path, f"{WORKSPACE}/{inside}", "ro")
        yield from binds(self.plan, self.dock.session.workspace)

    def _git(self) -> Iterator[Any]:
        """git's directories, which tasks read and do not write."""
        repository, top = self.dock.repository, self.ground.top
        admin = Tree(repository, top).admin() if repository and self.ground.start else None
        if repository is None or admin is None:
            if (top / ".git").exists():
                yield _bind(top / ".git", f"{WORKSPACE}/.git", "ro")
            return
        named = self.dock.files / f"{self.name}.git"
        named.write_text(f"gitdir: {GIT}/worktrees/{admin.name}\n", encoding="utf-8")
        yield _bind(repository.common, GIT, "ro")
        yield _bind(named, f"{WORKSPACE}/.git", "ro")

    def _hidden(self) -> Iterator[str]:
        """aca's own record, wherever it would be seen."""
        record = self.dock.session.workspace / PRIVATE
        for view in self._views:
            if record.is_relative_to(view.outside):
                yield str(view.inside / record.relative_to(view.outside))


def binds(container: Container, workspace: Path) -> list[Any]:
    """What the plan itself has mounted, as docker-py takes it."""
    wanted = map(mount, container.mounts)
    return [
        _bind(Path(os.path.realpath(workspace / Path(one.source).expanduser())), one.target, one.mode)
        for one in wanted
    ]


def _bind(source: Path, target: str, mode: str) -> Any:
    from docker.types import Mount

    return Mount(target, str(source), type="bind", read_only=mode == "ro")


def over(session: Session) -> None:
    """There are no containers of it any more."""
    with suppress(FileNotFoundError):
        shutil.rmtree(session.path / MARK)
