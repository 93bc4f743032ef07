"""Where an attempt works, what of it a path may reach, and how long its children are waited for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from typing import Any, Protocol

import msgspec

from aca.safety.protection import Protection

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


class Started(Protocol):
    """A child that was started, wherever it runs."""

    exited: asyncio.Future[float]
    """Done, with the time (``time.monotonic``), when it has exited."""

    @property
    def exit_code(self) -> int:
        """Known when it has exited and ``reap`` is done; negative for the signal that killed it."""
        ...

    async def signal(self, number: Signals) -> None:
        """Send a signal to it and its process group. One that is gone gets none."""
        ...

    async def reap(self) -> None:
        """After its end: end what it has left running."""
        ...

    def reap_at_once(self) -> bool:
        """The same where it has left nothing; False where ``reap`` is to be awaited."""
        ...


class Enclosure(Protocol):
    """What holds the children of a place in: they are started by it, and see what it shows them."""

    async def start(
        self, argv: Sequence[str], place: Place, stdin: int | None, stdout: int, stderr: int
    ) -> Started:
        """Start *argv* in the place's directory, with its environment.

        The streams are file descriptors that stay the caller's; no *stdin* is an empty one. Raises
        ``process.NotStartedError`` or MachineError.
        """
        ...

    @property
    def brings_programs(self) -> bool:
        """Whether the programs in there are not those of this machine."""
        ...

    def seen(self, path: Path) -> str:
        """What the children call *path*."""
        ...

    def meant(self, name: str) -> str:
        """The path that they mean by *name*, which may be relative."""
        ...


class OutsideWorkspaceError(ValueError):
    """A path that leads out of the workspace."""


class Needs(msgspec.Struct, frozen=True):
    """What an agent that is a program needs of the disk besides the place it works in; it may not exist."""

    writable: tuple[Path, ...] = ()
    """Its own directories: its login, its conversations."""
    fixed: tuple[Path, ...] = ()
    """What in these stays as it is: settings that would hold for whoever runs it next."""
    hidden: tuple[Path, ...] = ()
    """Files and directories of the workspace that are to be seen as empty."""
    is_sandboxed: bool = False
    """It puts a sandbox around what it runs, which cannot stand inside of another one."""


class Place(msgspec.Struct, frozen=True):
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
    protection: Protection = msgspec.field(default_factory=Protection)
    """What agents may not do here."""
    needs: Needs = Needs()
    """What the agent's own program needs where it is enclosed."""
    enclosure: Enclosure | None = None
    """What holds its children in; None where nothing does."""

    @property
    def brings_programs(self) -> bool:
        """Whether the programs that its children find are not those of this machine."""
        return self.enclosure is not None and self.enclosure.brings_programs

    def seen(self, path: Path) -> str:
        """What the children here call *path*."""
        return str(path) if self.enclosure is None else self.enclosure.seen(path)

    def _meant(self, name: str) -> str:
        return name if self.enclosure is None else self.enclosure.meant(name)

    def inside(self, name: str) -> Path:
        """The file *name* means here, links resolved. Raises OutsideWorkspaceError when it is not inside."""
        if "\0" in name:
            raise OutsideWorkspaceError("a path cannot contain a null character")
        try:
            target = os.path.realpath(self.path / self._meant(name))
        except UnicodeEncodeError:
            raise OutsideWorkspaceError("a path cannot contain half a character") from None
        root = os.path.realpath(self.root)
        if not _is_within(target, root):
            raise OutsideWorkspaceError(f"{name} is outside the workspace {self.root}")
        if _is_within(target, f"{root.rstrip('/')}/{PRIVATE}"):
            raise OutsideWorkspaceError(f"{name} is aca's own and not a task's to touch")
        return Path(target)

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
            full = os.path.realpath(self.path / self._meant(str(path)))
        except ValueError:  # no file has such a name, but agents say it
            return str(path)
        if not Path(full).is_relative_to(os.path.realpath(self.root)):
            return full
        return Path(os.path.relpath(full, os.path.realpath(self.path))).as_posix()


def _is_within(path: str, directory: str) -> bool:
    """Of real paths, as text: each attempt asks a few times, and ``pathlib`` takes them apart anew."""
    return path == directory or path.startswith(f"{directory.rstrip('/')}/")
