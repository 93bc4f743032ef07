"""``aca doctor``: what is missing here and how to get it, and what a damaged session still holds."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from aca.cli import shortened
from aca.cli.options import Json, Workspace
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.sessions.session import Session

PYTHON = (3, 11)


class Finding(NamedTuple):
    """One thing that was looked at. ``cure`` says how to mend it; what is not ``needed`` may stay so."""

    name: str
    ok: bool
    detail: str
    cure: str = ""
    needed: bool = True

    def __str__(self) -> str:
        mark = "ok     " if self.ok else "mend   " if self.needed else "note   "
        cure = self.cure.replace("\n", "\n      ")
        return f"{mark} {self.name}: {self.detail}" + (f"\n         {cure}" if cure and not self.ok else "")


def doctor(
    session: Annotated[
        str | None, typer.Argument(metavar="SESSION", help="Look at this session's journal instead.")
    ] = None,
    workspace: Workspace = Path(),
    json: Json = False,
) -> int:
    """Look whether everything aca needs is here, and whether its sessions are sound."""
    from aca.errors import Exit

    if session is not None:
        return _look_at(workspace, session, json)
    findings = [found for look in LOOKS for found in look(workspace)]
    if json:
        Screen().document([found._asdict() for found in findings])
    else:
        Screen().results(shortened(str(found)) for found in findings)
    return Exit.OK if all(found.ok or not found.needed for found in findings) else Exit.USAGE


# -- what is looked at ------------------------------------------------------------------------------------


def _python(_: Path) -> Iterator[Finding]:
    wanted = ".".join(map(str, PYTHON))
    yield Finding(
        "Python", sys.version_info >= PYTHON, platform.python_version(), f"aca needs Python {wanted}"
    )


def _git(_: Path) -> Iterator[Finding]:
    path = shutil.which("git")
    if path is None:
        yield Finding("git", False, "not found", "install git, for example: apt install git")
        return
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    yield Finding("git", told.returncode == 0, told.stdout.strip() or told.stderr.strip(), "mend git first")


def _workspace(workspace: Path) -> Iterator[Finding]:
    try:
        with tempfile.TemporaryFile(dir=workspace):
            yield Finding("workspace", True, str(workspace))
    except OSError as error:
        cure = "aca needs to write there: give yourself the right, or use --workspace"
        yield Finding("workspace", False, f"{workspace}: {error.strerror}", cure)


def _worktrees(workspace: Path) -> Iterator[Finding]:
    from aca.workspaces import choice

    if lack := choice.lacking(workspace):
        why, cure = lack
        yield Finding("worktrees", False, f"{why}: agents that run at once share the directory", cure, False)
    else:
        yield Finding("worktrees", True, "several agents at once can each have one")


def _snapshots(workspace: Path) -> Iterator[Finding]:
    from aca.workspaces.kept import repositories

    if shutil.which("git") is None:
        lost = "nothing that tasks change can be shown, restored or rolled back"
        yield Finding("snapshots", False, f"there is no git: {lost}", "install git", False)
    else:
        ours = all(one.apart for one in repositories(workspace))
        where = (
            ".aca/files.git, as this is no git repository with a commit" if ours else "git, under refs/aca/"
        )
        yield Finding("snapshots", True, f"what tasks change is kept in {where}")


def _containers(_: Path) -> Iterator[Finding]:
    from aca.errors import MachineError
    from aca.workspaces.containers.engine import name_of_engine

    try:
        yield Finding("containers", True, f"{name_of_engine(os.environ)} answers")
    except MachineError as error:
        why, *cures = str(error).split("\n   ")
        yield Finding("containers", False, why, "\n".join(cures), False)


def _home(workspace: Path) -> Iterator[Finding]:
    from aca.sessions.whereabouts import HOME

    home = workspace / HOME
    if home.exists() and not home.is_dir():
        yield Finding(HOME, False, "it is a file where a directory belongs", f"move {home} out of the way")
    elif home.exists() and not os.access(home, os.W_OK | os.X_OK):
        yield Finding(HOME, False, "it may not be written to", f"give yourself the right to write to {home}")
    elif home.exists() and not (home / ".gitignore").exists():
        yield Finding(HOME, False, "nothing keeps it out of commits", "aca init writes its .gitignore", False)
    else:
        yield Finding(HOME, True, "in order" if home.exists() else "not there yet")


def _configuration(workspace: Path) -> Iterator[Finding]:
    from aca import app
    from aca.errors import AcaError

    try:
        app.settings(workspace, os.environ)
    except AcaError as error:
        yield Finding(
            "configuration", False, str(error), "`aca config` shows every setting once this is mended"
        )
    else:
        yield Finding("configuration", True, "valid")


def _providers(workspace: Path) -> Iterator[Finding]:
    """Only the provider that tasks get by default has to be there."""
    from aca import app, providers
    from aca.errors import AcaError
    from aca.providers import choice

    try:
        plan = app.settings(workspace, os.environ, but_providers=True).plan
    except AcaError:
        return  # told already
    known, default = providers.names(plan.providers), plan.defaults.provider
    if default is None:
        nobody = choice.none_here()
        yield Finding("provider", False, nobody.message, nobody.cure)
    for name in known:
        named = plan.defaults.model if name == default else None
        there = providers.check(name, plan.providers.get(name, {}), named)
        needed = name == default or there.is_wrong
        yield Finding(f"provider {name}", there.ok, there.detail, there.cure, needed)


def _sandbox(workspace: Path) -> Iterator[Finding]:
    """Who keeps agents to their permissions, and which of the repository's settings they do not honour."""
    from aca import app
    from aca.attempts import rights
    from aca.errors import AcaError
    from aca.processes import bubblewrap

    try:
        plan = app.settings(workspace, os.environ, but_providers=True).plan
    except AcaError:
        return  # told already
    missing, is_off = bubblewrap.obstacle(), plan.sandbox.mode == "off"
    if missing is not None and not is_off:
        detail = f"{missing.message}: agents are kept to their permissions by themselves alone"
        yield Finding("sandbox", False, detail, missing.cure, plan.sandbox.mode == "require")
    else:
        detail = "sandbox.mode is off" if is_off else "bubblewrap keeps agents to their permissions"
        yield Finding("sandbox", True, detail)
    brought = [name for name in rights.brought(plan) if (workspace / name).exists()]
    if brought:
        how = "honoured" if plan.trust_project_config else "not honoured; --trust-project-config changes that"
        yield Finding("settings for agents in the repository", True, f"{', '.join(brought)}: {how}")


def _sessions(workspace: Path) -> Iterator[Finding]:
    from aca.errors import AcaError, MachineError
    from aca.sessions import session

    damaged = 0
    try:
        found = session.listing(workspace)
    except MachineError as error:
        why, _, cure = str(error).partition("\n   ")
        yield Finding("sessions", False, why, cure)
        return
    for one in found:
        try:
            one.state()
        except (AcaError, OSError, ValueError) as error:
            damaged += 1
            yield Finding(f"session {one.id}", False, str(error).splitlines()[0], f"aca doctor {one.id}")
    count = len(found)
    yield Finding("sessions", True, f"{count - damaged} of {count} are sound" if count else "none yet")


def _leftovers(workspace: Path) -> Iterator[Finding]:
    from aca.errors import MachineError
    from aca.processes import process
    from aca.sessions import session

    try:
        dead = [one.id for one in session.listing(workspace) if not one.is_running()]
    except MachineError:
        return  # told already
    pids = process.orphans(dead)
    cure = "the next run in this workspace ends them, or: kill " + " ".join(map(str, sorted(pids)))
    detail = f"{len(pids)} of dead sessions still run" if pids else "none"
    yield Finding("left-over processes", not pids, detail, cure)
    yield from _left_containers(workspace)


def _left_containers(workspace: Path) -> Iterator[Finding]:
    from aca.errors import MachineError
    from aca.workspaces import leftovers

    try:
        names = leftovers.names(workspace, os.environ)
    except MachineError:
        return  # told already
    detail = f"of dead sessions there are {', '.join(names)}" if names else "none"
    yield Finding(
        "left-over containers", not names, detail, "the next run in this workspace, or aca gc, removes them"
    )


LOOKS: tuple[Callable[[Path], Iterator[Finding]], ...] = (
    _python, _git, _workspace, _worktrees, _snapshots, _containers, _home, _configuration,
    _providers, _sandbox,
    _sessions, _leftovers,
)  # fmt: skip


# -- one session ------------------------------------------------------------------------------------------


def _look_at(workspace: Path, name: str, json: bool) -> int:
    """Exit code 0 for a sound journal, 7 for a damaged one; told is what can be saved of it."""
    from aca.errors import DamagedJournalError, Exit
    from aca.sessions import session

    one = session.find(workspace, name)
    try:
        state = one.state()
    except DamagedJournalError as error:
        _tell(_damage(one, error), json)
        return Exit.MACHINE
    _tell({"session": one.id, "sound": True, "events": state.seq}, json)
    return Exit.OK


def _damage(one: Session, error: Any) -> dict[str, Any]:
    """What is wrong, and what the events in front of it hold."""
    from aca.errors import lost

    found = {"session": one.id, "sound": False, "line": error.line, "why": error.why, "events": error.good}
    if error.good == 0:
        return {**found, "completed": 0, "cure": lost(one.id)}
    saved = one.state(until=error.good)
    cure = f"aca resume {one.id}:{error.good} goes on from there, as a session of its own"
    return {**found, "completed": saved.counts["completed"], "total": len(saved.tasks), "cure": cure}


def _tell(found: dict[str, Any], json: bool) -> None:
    if json:
        Screen().document(found)
        return
    from aca.report.words import counted

    name, events = found["session"], found["events"]
    if found["sound"]:
        Screen().result(f"session {name}: all {events} events are sound")
        return
    lines = [f"session {name}: line {found['line']} of its journal is damaged: {found['why']}"]
    if events:
        completed = counted(found["completed"], "task")
        lines.append(f"   the {events} events before it are sound; completed in them: {completed}")
    Screen().results([*lines, f"   {found['cure']}"])
