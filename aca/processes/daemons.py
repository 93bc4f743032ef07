"""Who on this machine starts programs for whoever asks it by a socket: engines of containers, and others.

aca asks an engine for containers. An agent in a sandbox must not: what is started so is outside.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_OTHERS = (
    *("containerd", "podman", "crio", "buildkit", "libvirt", "snapd.socket"),
    *("dbus", "systemd/private", "screen", "user"),
)
"""In ``/run``."""


def engines(environ: Mapping[str, str]) -> list[str]:
    """Where an engine may listen, the most likely place first: Docker's, Docker Desktop's, podman's."""
    home, runtime = environ.get("HOME", "/"), environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    return [
        "/var/run/docker.sock",
        f"{runtime}/docker.sock",
        f"{home}/.docker/run/docker.sock",
        f"{runtime}/podman/podman.sock",
        "/run/podman/podman.sock",
    ]


def all_of(environ: Mapping[str, str]) -> list[str]:
    """Sockets, and directories with such, that are there: links followed, none of them in another."""
    named = environ.get("DOCKER_HOST", "")
    given = [named.removeprefix("unix://")] if named.startswith("unix://") else []
    places = (*engines(environ), *given, *(f"/run/{name}" for name in _OTHERS))
    there = sorted({os.path.realpath(path) for path in places if Path(path).exists()})
    return [path for path in there if not any(path.startswith(f"{other}/") for other in there)]
