"""Containers and networks that outlive the run they were made for: found, named and removed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from aca.sessions import session
from aca.sessions.session import Session
from aca.workspaces import docker
from aca.workspaces.containers.engine import Engine, EngineError, Left, Notice, connect


class Leftovers(msgspec.Struct, frozen=True):
    """Containers and networks of dead runs in a workspace."""

    engine: Engine
    found: list[Left]

    def remove(self) -> None:
        """Remove them all. Raises EngineError."""
        for one in self.found:
            self.engine.remove(one)


def find(workspace: Path, environ: Mapping[str, str], mine: Session | None = None) -> Leftovers:
    """What dead runs have left; the caller holds the lock of *mine*. Raises EngineError."""
    engine = connect(environ)
    running = {one.id for one in session.listing(workspace) if one != mine and one.is_running()}
    return Leftovers(engine, engine.left(workspace, running, mine.id if mine else ""))


def names(workspace: Path, environ: Mapping[str, str], *, remove: bool = False) -> list[str]:
    """What they are called, and with *remove* were called. Raises EngineError."""
    left = find(workspace, environ)
    if remove:
        left.remove()
    left.engine.close()
    return [f"{one.kind} {one.name}" for one in left.found]


def reap(workspace: Path, environ: Mapping[str, str], notice: Notice, mine: Session | None = None) -> None:
    """Remove what killed runs have left, where there may be anything: no engine is asked otherwise."""
    dead = [one for one in _marked(workspace) if one == mine or not one.is_running()]
    if not dead:
        return
    try:
        left = find(workspace, environ, mine)
        left.remove()
        left.engine.close()
    except EngineError as error:
        notice(f"containers of an earlier run may be left: {error}")
        return
    for one in dead:
        docker.over(one)
    if left.found:
        told = ", ".join(f"{one.kind} {one.name}" for one in left.found)
        notice(f"removed what an earlier aca left behind: {told}")


def _marked(workspace: Path) -> Collection[Session]:
    return [one for one in session.listing(workspace) if (one.path / docker.MARK).exists()]
