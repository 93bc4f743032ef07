"""Where an attempt works, what of it a path may reach, and how long its children are waited for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from aca.protection import Protection

PRIVATE = ".aca"
"""What in a workspace is not the tasks': sessions and their journals."""


@dataclass(eq=False)
class Patience:
    """How long to wait at each step of stopping a child; one value is shared by a whole run."""

    interrupt: float = 10.0
    """After SIGINT."""
    terminate: float = 5.0
    """After SIGTERM, before SIGKILL."""
    _out: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)

    def run_out(self) -> None:
        """From now on nothing is waited for, waits in progress included."""
        self._out.set()

    async def wait(self, ended: asyncio.Future[float], seconds: float) -> None:
        """Until *ended*, for at most *seconds*, while patience lasts."""
        out = asyncio.ensure_future(self._out.wait())
        either: set[asyncio.Future[Any]] = {ended, out}
        try:
            await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            out.cancel()


class OutsideWorkspaceError(ValueError):
    """A path that leads out of the workspace."""


class Enclosure(Protocol):
    """What stands around the children of an attempt: a sandbox, a container."""

    def around(self, argv: Sequence[str], place: Place) -> Sequence[str]:
        """What is started instead of *argv*, so that this runs inside, in the directory ``place.path``.

        It ends as *argv* does, and the signals that its process group gets reach *argv*.
        """
        ...


@dataclass(frozen=True)
class Needs:
    """What an agent that is a program needs of the disk besides the place it works in; it may not exist."""

    writable: tuple[Path, ...] = ()
    """Its own directories: its login, its conversations."""
    fixed: tuple[Path, ...] = ()
    """What in these stays as it is: settings that would hold for whoever runs it next."""
    hidden: tuple[Path, ...] = ()
    """Files and directories of the workspace that are to be seen as empty."""
    is_sandboxed: bool = False
    """It puts a sandbox around what it runs, which cannot stand inside of another one."""


@dataclass(frozen=True)
class Place:
    """Where an attempt works."""

    root: Path
    """The workspace; tools never reach outside it."""
    path: Path
    """The task's working directory, inside ``root``."""
    env: Mapping[str, str]
    """The children's whole environment, ``ACA_SESSION``, ``ACA_TASK`` and ``ACA_ATTEMPT`` included."""
    mark: str
    """The value of ``ACA_ATTEMPT``, ``<session>/<task>/<attempt>``; finds this attempt's processes."""
    patience: Patience
    passed: frozenset[str] = frozenset()
    """Keys in ``env`` that commands, checks and tools may have, too."""
    protection: Protection = field(default_factory=Protection)
    """What agents may not do here."""
    enclosure: Enclosure | None = None
    """What stands around children; None is nothing."""
    needs: Needs = Needs()
    """What the agent's own program needs where it is enclosed."""

    def inside(self, name: str) -> Path:
        """The file *name* means here, links resolved. Raises OutsideWorkspaceError when it is not inside."""
        if "\0" in name:
            raise OutsideWorkspaceError("a path cannot contain a null character")
        try:
            target = Path(os.path.realpath(self.path / name))
        except UnicodeEncodeError:
            raise OutsideWorkspaceError("a path cannot contain half a character") from None
        root = Path(os.path.realpath(self.root))
        if not target.is_relative_to(root):
            raise OutsideWorkspaceError(f"{name} is outside the workspace {self.root}")
        if target.is_relative_to(root / PRIVATE):
            raise OutsideWorkspaceError(f"{name} is aca's own and not a task's to touch")
        return target

    def protects(self, name: str) -> bool:
        """Whether *name* is that of a file in here which agents do not write to."""
        try:
            path = self.inside(name)
        except OutsideWorkspaceError:
            return False
        inside = path.relative_to(os.path.realpath(self.root)).as_posix()
        return self.protection.path_rule(inside) is not None

    def has_file(self, name: str) -> bool:
        """Whether *name* is that of a file inside, which a prompt may quote."""
        try:
            return self.inside(name).is_file()
        except (OutsideWorkspaceError, OSError):
            return False

    def name_of(self, path: Path) -> str:
        """What *path* is called from where the task works; in full when it is outside the workspace."""
        try:
            full = os.path.realpath(self.path / path)
        except ValueError:  # no file has such a name, but agents say it
            return str(path)
        if not Path(full).is_relative_to(os.path.realpath(self.root)):
            return full
        return Path(os.path.relpath(full, os.path.realpath(self.path))).as_posix()
