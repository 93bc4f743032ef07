"""A network from which nothing but certain hosts can be reached.

It leads nowhere: the engine connects it to nothing, and gives the machine itself no address in it. The one
way out is a proxy in a container of its own, which is in the outer network, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from aca.workspaces.containers.engine import Engine, EngineError, Left, naming

SOURCE = Path(__file__).with_name("proxy.py")
PORT = 3128
GATEWAY = {"host.docker.internal": "host-gateway"}
"""How the machine itself is called in containers that may reach it."""
_NOBODY = "65534:65534"


class Gated(msgspec.Struct, frozen=True):
    """Such a network and its proxy."""

    name: str
    proxy: str
    """Its URL."""
    parts: Sequence[Left]
    """To be removed in this order."""

    @property
    def variables(self) -> dict[str, str]:
        """What tells programs to use the proxy. Node's own fetch needs to be told so."""
        names = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
        here = {"NO_PROXY": "localhost,127.0.0.1", "no_proxy": "localhost,127.0.0.1"}
        return {**dict.fromkeys(names, self.proxy), **here, "NODE_USE_ENV_PROXY": "1"}


def open_gated(
    engine: Engine, name: str, image: str, hosts: Sequence[str], labels: Mapping[str, str]
) -> Gated:
    """Make the network *name*, its proxy of *image* letting through to *hosts*. Raises EngineError."""
    parts: list[Left] = []
    try:
        with naming(f"making the network {name}"):
            options = {"com.docker.network.bridge.inhibit_ipv4": "true"}
            made = engine.client.networks.create(
                name, driver="bridge", internal=True, options=options, labels=dict(labels)
            )
            parts.append(Left("network", made.id, name, labels))
            proxy = engine.client.containers.create(
                image,
                ["-c", SOURCE.read_text(encoding="utf-8"), str(PORT), *hosts],
                entrypoint=["python3"], name=f"{name}-proxy", labels=dict(labels), user=_NOBODY,
                read_only=True, cap_drop=["ALL"], security_opt=["no-new-privileges"], mem_limit="128m",
                pids_limit=64, extra_hosts=GATEWAY, network="bridge",
            )  # fmt: skip
            parts.insert(0, Left("container", proxy.id, f"{name}-proxy", labels))
            made.connect(proxy)
            proxy.start()
            told = proxy.logs(stream=True, follow=True)
            next(told, None)  # it says so when it listens
            told.close()
            proxy.reload()
            inside = proxy.attrs["NetworkSettings"]["Networks"][name]["IPAddress"]
            if proxy.status != "running" or not inside:
                said = proxy.logs(stdout=False).decode(errors="replace").strip()
                raise EngineError(f"the proxy for docker.allow_hosts, made of {image}, does not run: {said}")
    except BaseException:
        close_gated(engine, parts)
        raise
    return Gated(name, f"http://{inside}:{PORT}", tuple(parts))


def close_gated(engine: Engine, parts: Sequence[Left]) -> None:
    """Remove network and proxy; what cannot be removed now is found by the next run."""
    for part in parts:
        with suppress(EngineError):
            engine.remove(part)
