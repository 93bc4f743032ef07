"""Who keeps an agent to its permissions, and what is put around it for that."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
from pydantic import ValidationError

from aca import providers
from aca.plans.faults import Fault
from aca.plans.plan import Plan, Profile
from aca.plans.settings import Permissions, Sandbox
from aca.processes import bubblewrap
from aca.processes.bubblewrap import Bubblewrap
from aca.providers.about import about
from aca.safety.guard import Guard
from aca.workspaces import quarantine
from aca.workspaces.base import Beside, Ground

ITSELF = "{} itself"
CONTAINER = "the container"
TOOLS = "aca's own tools"
NOBODY = "nobody"
CLAUDE = (".claude/settings.json", ".claude/settings.local.json", ".mcp.json")
_BY_TOOLS = ("anthropic", "ollama", "openai", "replay")
"""Providers whose agents have no other hands than aca's tools."""


_SANDBOXED = ("codex-cli",)
"""Providers that put a sandbox around what they run themselves."""


def encloses(sandbox: Sandbox, permissions: Permissions) -> bool:
    """Whether an agent with *permissions* runs inside of bubblewrap here."""
    return sandbox.mode != "off" and permissions != "full" and bubblewrap.obstacle() is None


def keepers(plan: Plan, gets: Profile) -> tuple[str, ...]:
    """Who keeps an agent that gets this to its permissions, in the words of people."""
    itself = () if gets.provider is None or gets.permissions == "full" else _itself(plan, gets.provider)
    if gets.docker is not None:
        return (*itself, CONTAINER)
    around = encloses(plan.sandbox, gets.permissions) and not _is_sandboxed(plan, gets.provider)
    return (*itself, *((bubblewrap.NAME,) if around else ())) or (NOBODY,)


def _itself(plan: Plan, provider: str) -> tuple[str, ...]:
    if provider in _BY_TOOLS:
        return (TOOLS,)
    is_known = provider in providers.names(plan.providers)
    given = plan.providers.get(provider, {})
    return (ITSELF.format(provider),) if is_known and about(provider, given).can.tool_gate else ()


def _is_sandboxed(plan: Plan, provider: str | None) -> bool:
    """Whether it puts a sandbox around what it runs itself."""
    given = plan.providers.get(provider or "", {})
    if providers.is_declared(given):
        return providers.declared(given).is_sandboxed
    return provider in _SANDBOXED


def agents(plan: Plan) -> Counter[Profile]:
    """What the agent tasks get that are to be done, and how many of them get it."""
    found: Counter[Profile] = Counter()
    for some in plan.alike:
        if (some.one.kind, some.one.status) == ("agent", "pending"):
            found[some.gets] += sum(task.id not in plan.groups for task in some.tasks.values())
    return +found  # without those that only groups get


def unheeded(plan: Plan, workspace: Path) -> list[str]:
    """What the repository brings as settings for the plan's agents, which they do not honour."""
    if plan.trust_project_config:
        return []
    used = {gets.provider for gets in agents(plan) if gets.provider}
    files = (name for provider in sorted(used) for name in _brought(plan, provider))
    return [name for name in dict.fromkeys(files) if (workspace / name).exists()]


def brought(plan: Plan) -> list[str]:
    """The files of a repository in which any agent that can be named looks for settings."""
    known = providers.names(plan.providers)
    return list(dict.fromkeys(name for provider in known for name in _brought(plan, provider)))


def _brought(plan: Plan, provider: str) -> Iterable[str]:
    """The files of a repository in which an agent of *provider* looks for settings."""
    given = plan.providers.get(provider, {})
    if providers.is_declared(given):
        with suppress(ValidationError):  # which is told elsewhere
            return providers.declared(given).project_config.files
        return ()
    return CLAUDE if provider.startswith("claude-") else ()


def faults(plan: Plan, workspace: Path) -> Iterator[Fault]:
    """What keeps the sandbox that *plan* asks for from being had here."""
    if plan.sandbox.mode == "off" or all(gets.permissions == "full" or gets.docker for gets in agents(plan)):
        return
    missing = bubblewrap.obstacle() if plan.sandbox.mode == "require" else None
    if missing is not None:
        yield Fault(
            ("sandbox", "mode"), f"a sandbox is required, and {missing.message}", missing.cure, "require"
        )
    for index, name in enumerate(plan.sandbox.writable):
        if not written_to(name, workspace, os.environ).exists():
            at = ("sandbox", "writable", index)
            yield Fault(at, f'sandbox.writable: there is no "{name}"', "make it, or leave it out", name)


def written_to(name: str, workspace: Path, environ: Mapping[str, str]) -> Path:
    """The directory that an entry of ``sandbox.writable`` means."""
    if name == "~" or name.startswith("~/"):
        name = environ.get("HOME", "~") + name[1:]
    return workspace / name


def enclosure(
    permissions: Permissions, ground: Ground, guard: Guard, scratch: Path, more: Iterable[Path]
) -> Bubblewrap:
    """What stands around an agent that works on *ground*; it may write to *more* besides, if at all."""
    seen = (ground.top, *(() if ground.beside is None else (ground.beside.common,)))
    if permissions == "read-only":
        return Bubblewrap((), (), scratch, seen)
    one = Bubblewrap((ground.top, *more), tuple(guard.paths), scratch, seen)
    return one if ground.beside is None else _with_git(one, ground.top, ground.beside)


def _with_git(one: Bubblewrap, top: Path, beside: Beside) -> Bubblewrap:
    """git works in a worktree, while what belongs to the repository stays as it is."""
    own, common = beside.own, beside.common
    new, known = quarantine.prepare(own)
    return msgspec.structs.replace(
        one,
        writable=(*one.writable, own),
        protected=(
            *one.protected,
            top / ".git",
            own / "gitdir",
            own / "commondir",
            own / quarantine.SETTINGS,
        ),
        shown=((common / "objects", known),),
        laid=((new, common / "objects"),),
    )
