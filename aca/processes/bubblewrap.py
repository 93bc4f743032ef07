"""bubblewrap: what the children of an attempt may write to, kept by the kernel.

Inside, the whole disk is there but read-only; what may be written to is laid over it, and what is protected
in there is read-only again. ``/tmp`` is the attempt's own: of the real one only what the command line or
the environment names is seen. Processes are in a namespace of their own and end with the first of them, so
nothing inside can reach aca, and nothing is left. The network is not cut: agents need their model.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import msgspec

from aca.errors import Problem
from aca.processes import daemons, spawn
from aca.safety.place import Place, Started

NAME = "bubblewrap"
TEMPORARY = "/tmp"  # noqa: S108
INSTALL = "install it (apt-get install bubblewrap), or have aca run in a container"
_NAMED = re.compile(TEMPORARY + r"/[^\s:;,='\"]+")
_SHARED = ("/var/tmp", TEMPORARY)  # noqa: S108
_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")
"""What root keeps inside: it may work on anybody's files in the workspace, as root is used to."""
_SIGNALS = ("INT", "TERM")
"""What aca stops a child with. bubblewrap has to live through it, to tell how the child has ended."""


class Bubblewrap(msgspec.Struct, frozen=True):
    """The sandbox of one attempt."""

    writable: tuple[Path, ...]
    """What may be written to; the rest of the disk may not."""
    protected: tuple[Path, ...]
    """What lies in there and may not, either."""
    scratch: Path
    """What is ``/tmp`` inside."""
    visible: tuple[Path, ...] = ()
    """What is seen even where it lies below the real ``/tmp``."""
    laid: tuple[tuple[Path, Path], ...] = ()
    """(directory, where it is seen): the first is there in place of the second, and may be written to."""
    shown: tuple[tuple[Path, Path], ...] = ()
    """The same, not to be written to."""

    brings_programs = False

    async def start(
        self, argv: Sequence[str], place: Place, stdin: int | None, stdout: int, stderr: int
    ) -> Started:
        """Start *argv* inside. A program that is not there is missed here, and not by bubblewrap."""
        program = str(place.path / argv[0]) if "/" in argv[0] else argv[0]
        if shutil.which(program, path=place.env.get("PATH", os.defpath)) is None:
            return await spawn.start_here(argv, place, stdin, stdout, stderr)  # which says how it is wrong
        return await spawn.start_here(self.around(argv, place), place, stdin, stdout, stderr)

    def seen(self, path: Path) -> str:
        """Everything has its own name."""
        return str(path)

    def meant(self, name: str) -> str:
        """The same."""
        return name

    def around(self, argv: Sequence[str], place: Place) -> list[str]:
        """The command line that runs *argv* inside."""
        if place.needs.is_sandboxed:
            return list(argv)
        options = [*_base(), *self._disk(argv, place)]
        options += [word for name in ("TMPDIR", "TMP", "TEMP") for word in ("--unsetenv", name)]
        return _started([*options, "--chdir", str(place.path)], argv)

    def _disk(self, argv: Sequence[str], place: Place) -> Iterator[str]:
        self.scratch.mkdir(parents=True, exist_ok=True)
        for path in _SHARED:
            yield from ("--bind", str(self.scratch), path)
        for path in _named([*argv, *place.env.values(), *map(str, self.visible), sys.prefix, __file__]):
            yield from ("--ro-bind", path, path)
        for one in (*self.writable, *place.needs.writable):
            yield from ("--bind-try", str(one), str(one))
        for source, target in self.shown:
            yield from ("--ro-bind", str(source), str(target))
        for source, target in self.laid:
            yield from ("--bind", str(source), str(target))
        for one in (*self.protected, *place.needs.fixed):
            yield from ("--ro-bind-try", str(one), str(one))
        for one in (*place.needs.hidden, *_servants(place.env)):
            yield from _emptied(one)


def _servants(environ: Mapping[str, str]) -> list[Path]:
    """Whoever would start programs outside, but for those that are not seen anyway."""
    below = tuple(f"{path}/" for path in _SHARED)
    return [Path(path) for path in daemons.all_of(environ) if not path.startswith(below)]


def _base() -> Iterator[str]:
    yield from ("--die-with-parent", "--unshare-pid", "--ro-bind", "/", "/")
    yield from ("--dev", "/dev", "--proc", "/proc")
    if os.geteuid() == 0:
        yield from ("--cap-drop", "ALL")
        yield from (word for name in _CAPABILITIES for word in ("--cap-add", f"CAP_{name}"))


def _started(options: Iterable[str], argv: Sequence[str]) -> list[str]:
    ignore = [f"--ignore-signal={name}" for name in _SIGNALS]
    heed = [f"--default-signal={name}" for name in _SIGNALS]
    return ["env", *ignore, "bwrap", *options, "--", "env", *heed, *argv]


def _named(texts: Iterable[str]) -> list[str]:
    """The files and directories in the real ``/tmp`` that *texts* name, those in others of them left out.

    No sockets: behind that of a terminal multiplexer or an editor is somebody who runs commands outside.
    """
    found = {name.rstrip("/.") for text in texts for name in _NAMED.findall(text)}
    there = sorted(name for name in found if Path(name).exists() and not Path(name).is_socket())
    return [name for name in there if not any(name.startswith(f"{other}/") for other in there)]


def _emptied(path: Path) -> Iterator[str]:
    """A directory is seen as an empty one; a file as one in which nothing is said."""
    if path.is_dir():
        yield from ("--tmpfs", str(path))
    elif path.exists():
        yield from ("--ro-bind", os.devnull, str(path))


@cache
def obstacle() -> Problem | None:
    """What keeps bubblewrap from being used on this machine, with the cure; None where it works."""
    if sys.platform != "linux":
        return Problem(f"bubblewrap is for Linux, and this is {sys.platform}", "have aca run in a container")
    if shutil.which("bwrap") is None:
        return Problem("bubblewrap is not installed", INSTALL)
    tried = _started(_base(), ["true"])
    try:
        done = subprocess.run(tried, capture_output=True, timeout=20, stdin=subprocess.DEVNULL, check=False)
        said = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
    except (OSError, subprocess.TimeoutExpired) as error:
        return Problem(f"bubblewrap does not work here: {error}", INSTALL)
    if done.returncode != 0:
        cure = "the machine, or the container this is, has to allow user namespaces"
        return Problem(f"bubblewrap does not work here: {said.splitlines()[-1]}", cure)
    return None
