"""The runner of a session: whoever holds its lock, puts together what a run needs, and leaves nothing behind.

``aca.run`` is the loop; here is what it is handed: places, providers, signals, observers.
"""

from __future__ import annotations

import logging
import os
import platform
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from aca import limits, providers
from aca.attempts import rights
from aca.attempts.attempt import Attempts
from aca.attempts.consultation import Agents, Watch
from aca.attempts.site import Sites
from aca.core import events as ev
from aca.core import patch
from aca.core.state import SessionState
from aca.errors import Exit
from aca.garbage import here_to_stay
from aca.limits.gate import Gate
from aca.plans import touches
from aca.plans.plan import Plan
from aca.plans.values import laid_over
from aca.preparation.assigned import used_providers
from aca.preparation.prepare import effective
from aca.processes import process
from aca.processes.interruption import Interruption, heeded
from aca.providers import base, clean
from aca.providers.budgeted import uncounted
from aca.run import run
from aca.safety import secrets
from aca.safety.place import Patience
from aca.sessions import session
from aca.sessions.derived import Derived
from aca.sessions.history import learned
from aca.sessions.journal import Journal
from aca.sessions.logs import system_log
from aca.sessions.recorder import Observer, Recorder
from aca.sessions.resumption import reopenings
from aca.sessions.session import Session
from aca.stop import Stop
from aca.workspaces import choice, docker, leftovers, lifecycle
from aca.workspaces.docker import Dock
from aca.workspaces.inplace import Inplace
from aca.workspaces.worktree import Worktrees

if TYPE_CHECKING:
    from aca.providers.replaying.recording import Recording

log = logging.getLogger(__name__)


class Watchers(msgspec.Struct, frozen=True):
    """Who sees what: ``observers`` the events, ``step`` every step of an agent, ``notice`` remarks."""

    observers: Sequence[Observer] = ()
    step: Watch = lambda _task, _step: None
    notice: Callable[[str], None] = lambda _text: None


def carry_out(
    one: Session,
    watchers: Watchers,
    overrides: Mapping[str, Any] | None = None,
    *,
    failed: bool = False,
    record: Path | None = None,
) -> ev.RunEnded:
    """Run the session to its end, from wherever it is; with *failed* what failed is tried again.

    *record* is the file in which all of it is recorded. Raises InputError when that is another file than
    this session's record, SessionInUseError, DamagedJournalError, DriftError or MachineError. Whatever
    happens, no child process is left when this returns.
    """
    process.become_subreaper()
    with one.lock(), system_log(one.system_log, one.plan.logging):
        end_orphans(one.workspace, watchers.notice, mine=one)
        recording = None if record is None else _recording(record, one)
        with here_to_stay():
            state = one.take_up()
        begun = ev.RunStarted(pid=os.getpid(), host=platform.node(), overrides=dict(overrides or {}))
        with _nothing_left_behind(one, watchers.notice):
            state.plan = effective(one.plan, laid_over(state.overrides, begun.overrides))
            _keep_keys_apart(one, state)
            shutil.rmtree(one.scratch, ignore_errors=True)
            with _places(one, state, record, watchers.notice) as places, one.writing(state) as written:
                for event in reopenings(state) if failed else ():
                    Recorder(state, written).record(event)
                runner = _Runner(one, state, watchers, recording, places)
                return process.in_loop(lambda: runner.drive(written, begun))


@contextmanager
def _nothing_left_behind(one: Session, notice: Callable[[str], None]) -> Iterator[None]:
    try:
        yield
    finally:
        process.end_everything()
        leftovers.reap(one.workspace, os.environ, notice, mine=one)


class _Places(msgspec.Struct, frozen=True):
    """Where the session's tasks work, ready for them; None is what they do not need."""

    here: Inplace
    trees: Worktrees | None
    dock: Dock | None

    def open_to(self, sites: Sites) -> None:
        """Let attempts work there."""
        sites.share(self.here)
        sites.dock = self.dock
        if self.trees is not None:
            sites.use(self.trees)

    def observers(self) -> list[Observer]:
        return [lifecycle.Branch(self.trees)] if self.trees is not None else []


@contextmanager
def _places(
    one: Session, state: SessionState, record: Path | None, notice: Callable[[str], None]
) -> Iterator[_Places]:
    """The places, for as long as a run lasts. Trees are removed after one that ended in good order."""
    trees = lifecycle.ready(one, state)
    here = lifecycle.in_place(one, state, record and record.resolve(), notice)
    _tell_of_company(one, state, notice)
    dock = docker.dock(one, state, os.environ)
    try:
        yield _Places(here, trees, dock)
        if trees is not None:
            trees.remove_unneeded()
    finally:
        if dock is not None:
            dock.engine.close()


def _tell_of_company(one: Session, state: SessionState, notice: Callable[[str], None]) -> None:
    """Say who else works in the directory itself: neither knows of the other's tasks."""
    if not choice.uses(left(state, state.plan), "inplace"):
        return
    for other in session.listing(one.workspace):
        with suppress(*session.UNSOUND):
            if other != one and other.is_running() and choice.uses(other.plan, "inplace"):
                what = f"{other.runner()} works in this directory too, for session {other.id}"
                notice(f"{what}: each may undo what the other does, and take it for its own work")


def _recording(path: Path, one: Session) -> Recording:
    from aca.providers.replaying.recording import Recording  # here, for few runs are recorded

    return Recording(path, one)


def _recorded(known: Mapping[str, base.Provider], recording: Recording) -> dict[str, base.Provider]:
    from aca.providers.replaying.recorded import Recorded

    return {name: Recorded(provider, recording) for name, provider in known.items()}


def _keep_keys_apart(one: Session, state: SessionState) -> None:
    """Know the keys that the plan's agents need, and strike them out of what a killed run has left."""
    for given in state.plan.providers.values():
        if providers.is_declared(given):
            secrets.declare(providers.declared(given).needs_env)
    for task_id, now in state.states.items():
        if now.status == "in_progress":
            clean.strike_out_of_all(one.task_logs / task_id)


class _Runner(msgspec.Struct, frozen=True):
    """Hands the loop all that it needs."""

    session: Session
    state: SessionState
    watchers: Watchers
    recording: Recording | None
    places: _Places

    async def drive(self, written: Journal, begun: ev.RunStarted) -> ev.RunEnded:
        """Let the loop run, until it is done or somebody has it end."""
        stop, patience = Stop(), Patience()
        with _interruptible(stop, patience, self.watchers.notice):
            rest = left(self.state, self.state.plan)
            used = _used(self.state, rest)
            known = self.providers(used)
            self.tell(rest, used)
            watch = _unless_it_fails(self.watchers.step)
            gate = _gate(self.state, known, stop, watch, self.watchers.notice)
            agents = Agents(self.session, self.state, known, watch, gate)
            attempts = Attempts(agents, patience, _learned(self.session, rest))
            self.places.open_to(attempts.sites)
            return await run(
                *(self.state, written, attempts, begun),
                inbox=self.session,
                observers=self.observers(agents),
                hold=attempts.hold,
                stop=stop,
            )

    def providers(self, names: Iterable[str]) -> dict[str, base.Provider]:
        """They do what agents do; and all they do is recorded where that is asked."""
        given = self.state.plan.providers
        known = {name: providers.get(name, given.get(name, {})) for name in names}
        return known if self.recording is None else _recorded(known, self.recording)

    def tell(self, rest: Plan, used: Mapping[str, Sequence[base.Errand]]) -> None:
        """Say what agents do not go by, and what no limit counts."""
        if ignored := rights.unheeded(rest, self.session.workspace):
            how = "(--trust-project-config has them honoured)"
            self.watchers.notice(f"not honoured by agents: {', '.join(ignored)} {how}")
        for warning in uncounted(self.state.plan, used):
            self.watchers.notice(f"warning: {warning}")

    def observers(self, agents: Agents) -> list[Observer]:
        """Who sees each event, in this order."""
        recording = [self.recording] if self.recording is not None else []
        ours = [agents.arrivals, *self.watchers.observers, Derived(self.session)]
        return [*ours, *recording, *self.places.observers()]


def _used(state: SessionState, rest: Plan) -> dict[str, list[base.Errand]]:
    """Provider -> the tasks that it may have to do. None yet of those for which tasks may be added."""
    used = used_providers(rest)
    for name in sorted(patch.usable(state) & {*providers.names(state.plan.providers)}):
        used.setdefault(name, [])
    return used


def _learned(one: Session, rest: Plan) -> touches.Learned:
    """What tasks are known to change from earlier sessions, where several work at once and it is of use."""
    return {} if rest.execution_mode == "sequential" else learned(rest, one.workspace, one.id)


def _gate(
    state: SessionState,
    known: Iterable[str],
    stop: Stop,
    watch: Watch,
    notice: Callable[[str], None],
) -> Gate:
    """What keeps tasks back while their providers take no calls."""
    return Gate(
        state.plan,
        limits.keepers(state.plan, known, os.environ),
        is_group=lambda task_id: task_id in state.children,
        waits=lambda task_id, reason, seconds: watch(task_id, base.Waiting(reason, round(seconds, 3))),
        exits=lambda reason, again: stop.when_idle(Exit.QUOTA, reason, again),
        notice=notice,
    )


def left(state: SessionState, plan: Plan) -> Plan:
    """*plan* with every task there is by now; what is settled counts as done. Groups stay groups so."""
    done = {"status": "completed"}
    tasks = (
        task.model_copy(update=done) if state.states[task.id].settled else task
        for task in state.tasks.values()
    )
    return plan.model_copy(update={"tasks": tuple(tasks)})


def _unless_it_fails(watch: Watch) -> Watch:
    """*watch* until it raises: whoever looks on must not cost an attempt."""
    has_failed = False

    def step(task_id: str, one: base.Step) -> None:
        nonlocal has_failed
        if has_failed:
            return
        try:
            watch(task_id, one)
        except Exception:
            log.exception("whoever watches the steps failed and is dropped")
            has_failed = True

    return step


@contextmanager
def _interruptible(stop: Stop, patience: Patience, notice: Callable[[str], None]) -> Iterator[None]:
    """The first Ctrl-C interrupts what runs, and keeps it resumable. The second one kills it."""

    def first(one: Interruption) -> None:
        stop.request(one.code, f"interrupted by {one.name}", interrupt=True)
        notice(f"{one.name}: interrupting what runs ({one.name} again kills it now); `aca resume` goes on")

    def again(one: Interruption) -> None:
        patience.run_out()
        notice(f"{one.name} again: killing what runs now")

    with heeded(first, again):
        yield


def end_orphans(workspace: Path, notice: Callable[[str], None], mine: Session | None = None) -> None:
    """End what killed acas left running in *workspace*. The caller holds the lock of *mine*."""
    dead = [one.id for one in session.listing(workspace) if one == mine or not one.is_running()]
    if pids := process.end_orphans(dead):
        notice(f"ended {len(pids)} process(es) that an earlier aca left behind: {pids}")
    leftovers.reap(workspace, os.environ, notice, mine)
