"""The engine that runs containers: whether one answers, its images, and what of ours is left in it.

docker-py is imported here, when an engine is asked for, and blocks: whoever awaits calls it in a thread.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from aca.errors import MachineError
from aca.processes import daemons, orphans

LABEL = "aca"
"""On every container, network and image of ours; its value is the workspace."""
OWNER, SESSION, TASK, ATTEMPT = "aca.owner", "aca.session", "aca.task", "aca.attempt"
_CALL = 60.0
"""Seconds in which the engine answers a call, or never will."""
_GONE, _UNDER_WAY = 404, 409
"""HTTP statuses: there is no such thing (any more); it is being removed."""
_HERE = ("localhost", "127.0.0.1", "::1")
Notice = Callable[[str], None]
"""Hears what is done on the way."""
_WITHOUT = "or let the tasks work without containers: --no-docker"


class EngineError(MachineError):
    """The engine is not there, or refused something: what it said, and what can be done."""


def address(environ: Mapping[str, str]) -> str:
    """The engine's address: ``DOCKER_HOST``, or the first socket there is. Raises EngineError."""
    if given := environ.get("DOCKER_HOST"):
        url = urlsplit(given)
        if url.scheme == "unix" or (url.scheme == "tcp" and url.hostname in _HERE):
            return given
        why = f"DOCKER_HOST is {given}: containers there would not see the files here"
        raise EngineError(f"{why}\n   let it name an engine on this machine, such as {_unix(environ)}")
    for path in daemons.engines(environ):
        if Path(path).exists():
            return f"unix://{path}"
    cure = "start Docker (`sudo systemctl start docker`) or podman (`systemctl --user start podman.socket`)"
    raise EngineError(f"no Docker engine is here\n   {cure}, {_WITHOUT}")


def _unix(environ: Mapping[str, str]) -> str:
    return f"unix://{daemons.engines(environ)[0]}"


def connect(environ: Mapping[str, str]) -> Engine:
    """The engine of this machine. Raises EngineError where none answers."""
    where = address(environ)
    import docker

    try:
        client = docker.DockerClient(base_url=where, version="auto", timeout=_CALL)
    except docker.errors.DockerException as error:
        raise EngineError(_silent(where, str(error))) from None
    return Engine(client)


def name_of_engine(environ: Mapping[str, str]) -> str:
    """Which engine there is, such as ``Docker 20.10.24``. Raises EngineError."""
    engine = connect(environ)
    name = engine.name
    engine.close()
    return name


def _silent(where: str, told: str) -> str:
    """Why nobody answers at *where*, and what to do."""
    if "Permission denied" in told or "PermissionError" in told:
        cure = "join the group it belongs to (`sudo usermod -aG docker $USER`, then log in again)"
        return f"you may not use the Docker engine at {where}\n   {cure}, {_WITHOUT}"
    return f"no Docker engine answers at {where}: {_reason(told)}\n   start it, {_WITHOUT}"


def _reason(told: str) -> str:
    """The innermost of the errors in *told*, each of which has the one before in brackets."""
    inner = re.findall(r"(?:Errno \d+\] |, ')([A-Z][^'\[\]]+)'", told)
    return inner[-1].strip() if inner else told.splitlines()[0]


@contextmanager
def naming(doing: str) -> Iterator[None]:
    """Turn what docker-py raises meanwhile into an EngineError that says what was being done."""
    import docker
    import requests

    try:
        yield
    except docker.errors.APIError as error:
        raise EngineError(f"{doing}: {_said(error)}") from None
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise EngineError(f"{doing}: the Docker engine has gone away ({_reason(str(error))})") from None


def _said(error: Any) -> str:
    said = str(error.explanation or error)
    return said.removeprefix("Error response from daemon: ").strip().rstrip(".")


class Engine:
    """A Docker engine that answers."""

    def __init__(self, client: Any) -> None:
        self.client = client

    @property
    def api(self) -> Any:
        """The calls of the engine, one by one."""
        return self.client.api

    def close(self) -> None:
        self.client.close()

    # -- what it is ---------------------------------------------------------------------------------

    @cached_property
    def info(self) -> Mapping[str, Any]:
        with naming("asking the engine what it is"):
            told: Mapping[str, Any] = self.api.info()
        return told

    @property
    def is_rootless(self) -> bool:
        """Whether root in a container is the user of the engine outside of it."""
        return any("rootless" in option for option in self.info.get("SecurityOptions") or ())

    @cached_property
    def name(self) -> str:
        """For people, such as ``Docker 20.10.24`` or ``podman 4.3.1``."""
        with naming("asking the engine for its version"):
            told = self.api.version()
        parts = {part.get("Name", ""): part.get("Version", "") for part in told.get("Components") or ()}
        kind = next((name for name in parts if name.startswith("Podman")), "")
        return f"podman {parts[kind]}" if kind else f"Docker {told['Version']}"

    @property
    def can_gate(self) -> bool:
        """Whether there can be a network in which the machine has no address: podman gives it one in each."""
        return not self.name.startswith("podman")

    # -- images -------------------------------------------------------------------------------------

    def architecture(self, name: str) -> str | None:
        """What the image *name* is for, such as ``amd64``; None where it is not here."""
        import docker

        with naming(f"looking for the image {name}"):
            try:
                return str(self.api.inspect_image(name).get("Architecture", ""))
            except docker.errors.NotFound:
                return None

    def digest(self, name: str) -> str | None:
        """What the image *name* is, by its content: as registries know it, or else as this engine does."""
        import docker

        with naming(f"looking for the image {name}"):
            try:
                told = self.api.inspect_image(name)
            except docker.errors.NotFound:
                return None
        known = dict(entry.split("@", 1) for entry in told.get("RepoDigests") or ())
        own = known.get(_parts(name)[0]) or next(iter(sorted(known.values())), "")
        return own or str(told["Id"])

    def pull(self, name: str, digest: str = "") -> None:
        """Get the image *name* from its registry, and with *digest* that one. Raises EngineError."""
        repository, tag = _parts(name)
        with naming(f"the image {name} is not here, and cannot be pulled"):
            image = self.client.images.pull(repository, tag=digest or tag)
            if digest:
                image.tag(repository, tag)

    def build(self, context: Path, dockerfile: str, tag: str, labels: Mapping[str, str]) -> None:
        """Build the image *tag*. Raises EngineError with the end of what was said meanwhile."""
        import docker

        try:
            with naming(f"building {context / dockerfile}"):
                self.client.images.build(
                    path=str(context),
                    dockerfile=dockerfile,
                    tag=tag,
                    rm=True,
                    forcerm=True,
                    labels=dict(labels),
                )
        except docker.errors.BuildError as error:
            said = "".join(line.get("stream", "") for line in error.build_log)[-600:].strip()
            raise EngineError(f"building {context / dockerfile}: {error.msg}\n{said}".rstrip()) from None

    # -- what is left of dead runs ------------------------------------------------------------------

    def left(self, workspace: Path, running: Collection[str], mine: str = "") -> list[Left]:
        """Containers and networks of runs in *workspace* that are over.

        A run that lives is told by its process, or by its session being among those that are *running*. Of
        the session that is *mine* nothing runs now.
        """
        found = []
        with naming("looking for containers of earlier runs"):
            filters = {"label": f"{LABEL}={workspace}"}
            for told in self.api.containers(all=True, filters=filters):
                found.append(Left("container", told["Id"], told["Names"][0].lstrip("/"), told["Labels"]))
            for told in self.api.networks(filters=filters):
                found.append(Left("network", told["Id"], told["Name"], told["Labels"]))
        return [one for one in found if one.session == mine or not _lives(one, running)]

    def remove(self, left: Left) -> None:
        """Remove it; it may be gone already, or be removed by another."""
        import docker

        with naming(f"removing the {left.kind} {left.name}"):
            try:
                if left.kind == "container":
                    self.api.remove_container(left.id, force=True, v=True)
                else:
                    self.api.remove_network(left.id)
            except docker.errors.APIError as error:
                if error.status_code not in (_GONE, _UNDER_WAY):
                    raise


def _parts(name: str) -> tuple[str, str]:
    """Repository and tag of an image that is called *name*; a digest stands for a tag."""
    if "@" in name:
        repository, _, digest = name.partition("@")
        return repository, digest
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, "latest")


class Left(msgspec.Struct, frozen=True):
    """A container or a network of ours."""

    kind: str
    id: str
    name: str
    labels: Mapping[str, str]

    @property
    def session(self) -> str:
        return self.labels.get(SESSION, "")


def _lives(left: Left, running: Collection[str]) -> bool:
    return left.session in running or is_alive(left.labels.get(OWNER, ""))


# -- whose it is --------------------------------------------------------------------------------------


def owner() -> str:
    """This process, named for good: its id, when it began, and the machine's uptime."""
    return f"{os.getpid()} {orphans.started(os.getpid())} {orphans.boot_id()}"


def is_alive(named: str) -> bool:
    """Whether the process that ``owner`` has *named* still runs."""
    pid, _, rest = named.partition(" ")
    began, _, boot = rest.partition(" ")
    return pid.isdigit() and boot == orphans.boot_id() and str(orphans.started(int(pid))) == began
