"""The images of containers: there before a run begins, and fit for what is to be done in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import msgspec

from aca import providers
from aca.errors import InputError, Problem
from aca.plans.container import Container, mount
from aca.plans.plan import Plan
from aca.providers.base import Errand
from aca.workspaces import leftovers
from aca.workspaces.choice import DOCKERFILE, uses_containers
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
        if found := _Images(engine, plan, workspace, notice).provide(_programs(plan, used)):
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


class _Images(msgspec.Struct, frozen=True, dict=True):
    """Those that *plan* needs, with an engine that brings them here. One step that fails is the last."""

    engine: Engine
    plan: Plan
    workspace: Path
    notice: Notice

    def provide(self, programs: Mapping[str, str]) -> list[Problem]:
        """Pull and build them, and look whether *programs* (program -> its provider) are there."""
        problem = self._ungated() or self._not_pulled() or self._not_built()
        return [problem] if problem else list(self._unfit(programs))

    @cached_property
    def container(self) -> Container:
        """Such as a task of middling complexity has."""
        found = self.plan.docker.container(True, None)
        assert found is not None
        return found

    @property
    def name(self) -> str:
        """The image that tasks work in."""
        return tag(self.container, self.workspace)

    def _ungated(self) -> Problem | None:
        if not self.plan.docker.allow_hosts or self.engine.can_gate:
            return None
        cure = "use Docker for that, or none or bridge as network_mode"
        return Problem(f"docker.allow_hosts cannot be kept to with {self.engine.name}", cure)

    def _not_pulled(self) -> Problem | None:
        for name in _pulled(self.plan):
            if self.engine.architecture(name) is None:
                self.notice(f"pulling the image {name}")
                try:
                    self.engine.pull(name, _reviewed(self.plan, name))
                except EngineError as error:
                    cure = "name one that is here (docker images), build one (docker.build), or --no-docker"
                    return Problem(str(error), cure)
        return None

    def _not_built(self) -> Problem | None:
        if self.container.build is None:
            return None
        path = self.workspace / self.container.build
        context, file = (path, DOCKERFILE) if path.is_dir() else (self.workspace, self.container.build)
        if not (context / file).is_file():
            return Problem(f"docker.build: there is no {context / file}", "name a Dockerfile, or an image")
        self.notice(f"building the image {self.name} from {context / file}")
        try:
            self.engine.build(context, file, self.name, {LABEL: str(self.workspace)})
        except EngineError as error:
            return Problem(str(error), "mend the Dockerfile, or name an image")
        return None

    def _unfit(self, programs: Mapping[str, str]) -> Iterator[Problem]:
        """What the image cannot do that it has to."""
        try:
            missing = self._not_in_it(list(programs))
        except EngineError as error:
            yield self._unusable(error)
            return
        for program in missing:
            if provider := programs.get(program):
                recipe = "install it there (the how-to has a recipe)"
                cure = f"{recipe}, or name it: providers.{provider}.command"
                yield Problem(f"{program}, for {provider}, is not in the image {self.name}", cure)
            else:
                cure = "use an image that has it, such as Debian's"
                yield Problem(f"{program} is not in the image {self.name}", cure)

    def _unusable(self, error: EngineError) -> Problem:
        """It may be for another machine, which engines do not say well."""
        kernel = str(self.engine.info["Architecture"])
        wanted, made_for = _ARCHITECTURES.get(kernel, kernel), self.engine.architecture(self.name)
        if made_for in (None, wanted):
            return Problem(f"the image {self.name} cannot be used: {error}", "it needs a /bin/sh that runs")
        cure = f"build or pull one for linux/{wanted}"
        return Problem(f"the image {self.name} is for {made_for}, and this machine is {wanted}", cure)

    def _not_in_it(self, programs: list[str]) -> list[str]:
        """Those of *programs*, and of what every container needs, that the image does not have."""
        with naming("looking into it"):
            said = self.engine.client.containers.run(
                self.name, ["-c", _LOOK, "sh", *programs],
                entrypoint=["/bin/sh"], remove=True, network_mode="none",
                labels={LABEL: str(self.workspace), OWNER: owner()},
                mounts=binds(self.container, self.workspace),
            )  # fmt: skip
        return bytes(said).decode(errors="replace").split()


def _programs(plan: Plan, used: Used) -> dict[str, str]:
    """Program -> the provider that starts it in a container."""
    found = {}
    for name, tasks in used.items():
        with suppress(InputError, ValueError):  # told by the provider's own problems
            program = providers.program(name, plan.providers.get(name, {}))
            if program is not None and any(task.in_container for task in tasks):
                found[program] = name
    return found
