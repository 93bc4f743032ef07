"""What a plan says of the containers in which its tasks work."""

import re
from typing import Annotated, Literal

import msgspec
from pydantic import AfterValidator, Field, model_validator

from aca.plans.values import Memory, Model, Words, band

WORKSPACE, REPOSITORY, HOME, ASSIGNMENT = "/workspace", "/repos", "/session", "/assignment"
"""What is mounted in every container: where the task works, the user's repository, the agent's home, and
what aca hands to it. Only the first and the third can be written to."""
PROXY_IMAGE = "python:3.12-slim"
LEAST_MEMORY = 6 << 20
"""Docker takes no less."""

Network = Literal["none", "bridge", "host"]
_HOST = re.compile(r"(\*\.)?[\w-]+(\.[\w-]+)*(:\d{1,5})?")
_MOUNT = re.compile(r"(?P<source>[^:]+):(?P<target>/[^:]+)(:(?P<mode>ro|rw))?")


def _hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise ValueError(f'"{host}" is not a host; write "api.anthropic.com:443" or "*.example.org"')
    return hosts


def _mounts(mounts: tuple[str, ...]) -> tuple[str, ...]:
    for mount in mounts:
        match = _MOUNT.fullmatch(mount)
        if match is None:
            raise ValueError(
                f'"{mount}" is not a mount; write "/here:/there", read-only, or "/here:/there:rw"'
            )
        if match["target"].rstrip("/") in ("", WORKSPACE, REPOSITORY, HOME, ASSIGNMENT):
            raise ValueError(f"{match['target']} is taken: aca mounts something else there")
    return mounts


class Size(Model):
    """How much of the machine a container may take; what is none is not limited."""

    cpu_limit: float | None = Field(default=None, ge=0.01)
    """How many processors' worth of time."""
    memory_limit: Annotated[Memory, Field(ge=LEAST_MEMORY)] | None = None


class Sizes(Model):
    """Sizes by ``estimated_complexity``, as models are; what one leaves open is as for all."""

    simple: Size = Size()
    medium: Size = Size()
    complex: Size = Size()


class Docker(Size):
    """The containers in which agents, commands and checks run."""

    enabled: bool | None = None
    """None: where an ``image`` or a ``build`` is named."""
    image: str | None = Field(default=None, min_length=1)
    build: str | None = Field(default=None, min_length=1)
    """A Dockerfile in the workspace, or a directory with one; ``image`` then names what is built."""
    pids_limit: int = Field(default=2048, ge=1)
    """How many processes and threads there may be at once in one container."""
    network_mode: Network | None = None
    """None: ``bridge``, or where ``allow_hosts`` names some, nothing but these."""
    allow_hosts: Annotated[Words, AfterValidator(_hosts)] = ()
    """``host:port`` that can be reached, through a proxy; without a port 443 is meant."""
    user: str | None = Field(default=None, pattern=r"^\w[\w.-]*(:\w[\w.-]*)?$")
    """``id`` or ``id:group``; None: to whom the directory belongs in which the task works."""
    read_only: bool = False
    """The image's own files cannot be changed; ``/tmp`` can."""
    mounts: Annotated[Words, AfterValidator(_mounts)] = ()
    """More directories and files: ``source:target``, read-only, or with ``:rw``."""
    env: Words = ()
    """Variables of aca's own environment that are passed on."""
    proxy_image: str = PROXY_IMAGE
    """Has a python3, for the proxy that ``allow_hosts`` needs."""
    sizes: Sizes = Sizes()

    @model_validator(mode="after")
    def _one_network(self) -> "Docker":
        if self.allow_hosts and self.network_mode is not None:
            raise ValueError("allow_hosts makes a network of its own: leave network_mode out")
        return self

    @property
    def is_on(self) -> bool:
        """Whether tasks that say nothing work in containers."""
        return bool(self.image or self.build) if self.enabled is None else self.enabled

    def container(self, wanted: bool | None, complexity: int | None) -> "Container | None":
        """What a task of this complexity gets, which wants a container or not; None for none."""
        if not (self.is_on if wanted is None else wanted):
            return None
        size: Size = getattr(self.sizes, band(complexity))
        return Container(
            image=self.image,
            build=self.build,
            cpu_limit=self.cpu_limit if size.cpu_limit is None else size.cpu_limit,
            memory_limit=self.memory_limit if size.memory_limit is None else size.memory_limit,
            pids_limit=self.pids_limit,
            network_mode="allow" if self.allow_hosts else self.network_mode or "bridge",
            allow_hosts=self.allow_hosts,
            user=self.user,
            read_only=self.read_only,
            mounts=self.mounts,
            env=self.env,
            proxy_image=self.proxy_image,
        )


class Container(msgspec.Struct, frozen=True):
    """The container of one task, as the plan has it: size and all that holds for every one of them."""

    image: str | None
    build: str | None
    cpu_limit: float | None
    memory_limit: int | None
    """In bytes."""
    pids_limit: int
    network_mode: Literal["none", "bridge", "host", "allow"]
    """``allow``: nothing but ``allow_hosts``."""
    allow_hosts: tuple[str, ...]
    user: str | None
    read_only: bool
    mounts: tuple[str, ...]
    env: tuple[str, ...]
    proxy_image: str


class Mount(msgspec.Struct, frozen=True):
    """One of ``mounts``, read."""

    source: str
    target: str
    mode: str


def mount(text: str) -> Mount:
    """What *text*, which was validated, says."""
    match = _MOUNT.fullmatch(text)
    assert match is not None
    return Mount(match["source"], match["target"], match["mode"] or "ro")
