"""A real Docker engine, and an image for its containers that takes no time to make."""

from __future__ import annotations

import contextlib
import gc
import io
import ipaddress
import socket
import tarfile
import threading
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import docker
import pytest

from aca.workspaces.containers.engine import LABEL
from tests.project import Project
from tests.real_parts import lacking

IMAGE = "aca-test/host"
"""Nothing but links into ``/usr``: the machine's own is mounted there, with a shell, git and a python3."""
PROXY = "python:3.12-slim"
"""What ``tests/real/base-image`` makes sure of."""
SETTINGS = f"docker: {{image: {IMAGE}, mounts: ['/usr:/usr', '/etc/alternatives:/etc/alternatives']"
"""The beginning of what a task file says of containers; more may follow, and a closing brace."""


@cache
def engine() -> Any:
    """The engine, with the image made. Skips the test where none answers, and fails it in CI."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ResourceWarning
        )  # docker-py leaves the socket open that nobody answers
        try:
            client, why = docker.from_env(), ""
        except docker.errors.DockerException as error:
            client, why = None, str(error)
        gc.collect()
    if client is None:
        lacking(f"no Docker engine answers: {why}; tests/real/start-docker starts one")
    if not client.images.list(name=IMAGE):
        client.api.import_image_from_data(_links(), repository=IMAGE, tag="latest")
    return client


def _links() -> bytes:
    """A root directory as a tar file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("usr", "etc", "etc/alternatives", "tmp", "proc", "sys", "dev"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry)
        for name in ("bin", "sbin", "lib", "lib64"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, f"usr/{name}"
            tar.addfile(entry)
    return packed.getvalue()


def with_proxy() -> None:
    """Make sure that there is an image for proxies."""
    try:
        engine().images.get(PROXY)
    except docker.errors.ImageNotFound:
        lacking(f"there is no image {PROXY}: tests/real/base-image gets it")


def ours(project: Project) -> list[Any]:
    """Every container there is of the project's runs."""
    return containers_of(project.root)


def containers_of(workspace: Path) -> list[Any]:
    """Every container there is of runs in *workspace*."""
    found: list[Any] = engine().containers.list(all=True, filters={"label": f"{LABEL}={workspace}"})
    return found


def networks(project: Project) -> list[Any]:
    """Every network there is of the project's runs."""
    found: list[Any] = engine().networks.list(filters={"label": f"{LABEL}={project.root}"})
    return found


def gateway() -> str:
    """This machine's own address in the network that containers are in by default: nobody else has it."""
    subnet: str = engine().networks.get("bridge").attrs["IPAM"]["Config"][0]["Subnet"]
    return str(ipaddress.ip_network(subnet)[1])


@contextlib.contextmanager
def listening(address: str) -> Iterator[tuple[int, list[bytes]]]:
    """A port at *address* at which somebody answers "heard"; and what was said there."""
    heard: list[bytes] = []
    with socket.create_server((address, 0)) as server:
        threading.Thread(target=_answer, args=(server, heard), daemon=True).start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)


def _answer(server: socket.socket, heard: list[bytes]) -> None:
    with contextlib.suppress(OSError):  # it is closed
        while True:
            client, _ = server.accept()
            with client:
                heard.append(client.recv(4096))
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nheard")


@pytest.fixture
def contained(project: Project) -> Iterator[Project]:
    """A project whose runs use containers; what is left of them is removed with the test."""
    engine()
    yield project
    project.end()
    for container in ours(project):
        container.remove(force=True, v=True)
    for network in networks(project):
        network.remove()


class Relay:
    """A socket behind which the engine is, until it is cut off."""

    def __init__(self, path: Path) -> None:
        self.address = f"unix://{path}"
        self._open: list[socket.socket] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """From now on nobody answers, and what was open ends."""
        for one in (self._server, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it is cut
            while True:
                client, _ = self._server.accept()
                engine = socket.socket(socket.AF_UNIX)
                engine.connect("/var/run/docker.sock")
                self._open += [client, engine]
                for source, target in ((client, engine), (engine, client)):
                    threading.Thread(target=_pass_on, args=(source, target), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(1 << 16):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
