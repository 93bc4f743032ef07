"""The images of containers: there before a run begins, and fit for what is to be done in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from aca import providers
from aca.errors import InputError, Problem
from aca.plans.container import Container, mount
from aca.plans.plan import Plan
from aca.providers.base import Errand
from aca.workspaces import leftovers
from aca.workspaces.choice import uses_containers
from aca.workspaces.containers.engine import LABEL, OWNER, Engine, EngineError, Notice, connect, naming, owner
from aca.workspaces.docker import binds, tag

Used = Mapping[str, list[Errand]]
"""Provider name -> what it may have to do."""

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
"""What the kernel calls them -> what images are told to be for."""
_TOOL = "image {}"
"""How an image is called among the tools of a contract."""
_LOOK = 'for name in sleep "$@"; do command -v "$name" >/dev/null || echo "$name"; done'


def provide(plan: Plan, used: Used, workspace: Path, environ: Mapping[str, str], notice: Notice) -> None:
    """Have every image that *plan* needs: built, pulled, and with the programs in it that do its tasks.

    Raises InputError with all that is wrong, EngineError when there is no engine.
    """
    if not uses_containers(plan):
        return
    if found := list(_missing_mounts(plan, workspace)):
        raise InputError(found)
    left = leftovers.find(workspace, environ)
    engine = left.engine
    try:
        left.remove()  # what was being looked into when aca was killed has no session yet
        if found := list(_provide_all(engine, plan, used, workspace, notice)):
            raise InputError(found)
    finally:
        engine.close()


def problems(plan: Plan, workspace: Path, environ: Mapping[str, str]) -> list[Problem]:
    """What would keep containers from being made, found out without making or pulling anything."""
    if not uses_containers(plan):
        return []
    found = list(_missing_mounts(plan, workspace))
    try:
        engine = connect(environ)
    except EngineError as error:
        message, _, cure = str(error).partition("\n   ")
        return [*found, Problem(message, cure)]
    try:
        absent = [name for name in _pulled(plan) if engine.architecture(name) is None]
        found += [
            Problem(f"the image {name} is not here", "it is pulled when the plan is run") for name in absent
        ]
    finally:
        engine.close()
    return found


def _missing_mounts(plan: Plan, workspace: Path) -> Iterator[Problem]:
    for text in plan.docker.mounts:
        if not (workspace / Path(mount(text).source).expanduser()).exists():
            yield Problem(
                f"docker.mounts: there is no {mount(text).source}", "name what is there, or leave it out"
            )


def _pulled(plan: Plan) -> list[str]:
    """The images that are not built here."""
    settings = plan.docker
    names = [settings.image] if settings.image and not settings.build else []
    return [*names, settings.proxy_image] if settings.allow_hosts else names


def digests(plan: Plan, environ: Mapping[str, str]) -> dict[str, str]:
    """``image NAME`` -> what it is here, by its content, of each that *plan* names and that is here."""
    if not uses_containers(plan):
        return {}
    try:
        engine = connect(environ)
        found = {_TOOL.format(name): engine.digest(name) for name in _pulled(plan)}
        engine.close()
    except EngineError:  # to make or to check a plan none is needed; to run it, one is, and that is said then
        return {}
    return {name: digest for name, digest in found.items() if digest}


def _reviewed(plan: Plan, name: str) -> str:
    """What the image *name* was when the plan was made; empty where nobody knows."""
    return plan.contract.tools.get(_TOOL.format(name), "") if plan.contract else ""


def _provide_all(
    engine: Engine, plan: Plan, used: Used, workspace: Path, notice: Notice
) -> Iterator[Problem]:
    if plan.docker.allow_hosts and not engine.can_gate:
        cure = "use Docker for that, or none or bridge as network_mode"
        yield Problem(f"docker.allow_hosts cannot be kept to with {engine.name}", cure)
        return
    for name in _pulled(plan):
        if engine.architecture(name) is None:
            notice(f"pulling the image {name}")
            try:
                engine.pull(name, _reviewed(plan, name))
            except EngineError as error:
                cure = "name one that is here (docker images), build one (docker.build), or --no-docker"
                yield Problem(str(error), cure)
                return
    container = plan.docker.container(True, None)
    assert container is not None
    if container.build is not None and (wrong := _build(engine, container, workspace, notice)):
        yield wrong
        return
    yield from _unfit(engine, tag(container, workspace), container, _programs(plan, used), workspace)


def _build(engine: Engine, container: Container, workspace: Path, notice: Notice) -> Problem | None:
    assert container.build is not None
    path = workspace / container.build
    context, file = (path, "Dockerfile") if path.is_dir() else (workspace, container.build)
    if not (context / file).is_file():
        return Problem(f"docker.build: there is no {context / file}", "name a Dockerfile, or an image")
    name = tag(container, workspace)
    notice(f"building the image {name} from {context / file}")
    try:
        engine.build(context, file, name, {LABEL: str(workspace)})
    except EngineError as error:
        return Problem(str(error), "mend the Dockerfile, or name an image")
    return None


def _programs(plan: Plan, used: Used) -> dict[str, str]:
    """Program -> the provider that starts it in a container."""
    found = {}
    for name, tasks in used.items():
        with suppress(InputError, ValueError):  # told by the provider's own problems
            program = providers.program(name, plan.providers.get(name, {}))
            if program is not None and any(task.in_container for task in tasks):
                found[program] = name
    return found


def _unfit(
    engine: Engine, name: str, container: Container, programs: Mapping[str, str], workspace: Path
) -> Iterator[Problem]:
    """What the image cannot do that it has to."""
    try:
        missing = _not_in(engine, name, container, list(programs), workspace)
    except EngineError as error:
        wanted, made_for = _architecture(engine), engine.architecture(name)
        if made_for not in (None, wanted):
            cure = f"build or pull one for linux/{wanted}"
            yield Problem(f"the image {name} is for {made_for}, and this machine is {wanted}", cure)
        else:
            yield Problem(f"the image {name} cannot be used: {error}", "it needs a /bin/sh that runs")
        return
    for program in missing:
        if program in programs:
            provider = programs[program]
            cure = f"install it there (the how-to has a recipe), or name it: providers.{provider}.command"
            yield Problem(f"{program}, for {provider}, is not in the image {name}", cure)
        else:
            yield Problem(
                f"{program} is not in the image {name}", "use an image that has it, such as Debian's"
            )


def _architecture(engine: Engine) -> str:
    """That of this machine, as images call it."""
    kernel = str(engine.info["Architecture"])
    return _ARCHITECTURES.get(kernel, kernel)


def _not_in(
    engine: Engine, name: str, container: Container, programs: list[str], workspace: Path
) -> list[str]:
    """Those of *programs*, and of what every container needs, that are not in the image."""
    with naming("looking into it"):
        said = engine.client.containers.run(
            name, ["-c", _LOOK, "sh", *programs], entrypoint=["/bin/sh"], remove=True, network_mode="none",
            labels={LABEL: str(workspace), OWNER: owner()}, mounts=binds(container, workspace),
        )  # fmt: skip
    return bytes(said).decode(errors="replace").split()
