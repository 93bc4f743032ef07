"""The runner of a session: whoever holds its lock, puts together what a run needs, and leaves nothing behind.

``aca.run`` is the loop; here is what it is handed: places, providers, signals, observers.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from aca import limits, providers
from aca.attempts import rights
from aca.attempts.attempt import Attempts
from aca.attempts.consultation import Agents, Watch
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
        dock = None
        try:
            begun = ev.RunStarted(pid=os.getpid(), host=platform.node(), overrides=dict(overrides or {}))
            state.plan = effective(one.plan, laid_over(state.overrides, begun.overrides))
            _keep_keys_apart(one, state)
            shutil.rmtree(one.scratch, ignore_errors=True)
            trees = lifecycle.ready(one, state)
            here = lifecycle.in_place(one, state, record and record.resolve(), watchers.notice)
            _tell_of_company(one, state, watchers.notice)
            dock = docker.dock(one, state, os.environ)
            with one.writing(state) as written:
                for event in reopenings(state) if failed else ():
                    Recorder(state, written).record(event)
                ended = process.in_loop(
                    lambda: _drive(one, state, written, begun, watchers, recording, trees, here, dock)
                )
            if trees is not None:
                trees.remove_unneeded()
            return ended
        finally:
            process.end_everything()
            if dock is not None:
                dock.engine.close()
            leftovers.reap(one.workspace, os.environ, watchers.notice, mine=one)


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


async def _drive(
    one: Session,
    state: SessionState,
    written: Journal,
    begun: ev.RunStarted,
    watchers: Watchers,
    recording: Recording | None,
    trees: Worktrees | None,
    here: Inplace,
    dock: Dock | None,
) -> ev.RunEnded:
    stop, patience = Stop(), Patience()
    with _signals(stop, patience, watchers.notice):
        rest = left(state, state.plan)
        names = used_providers(rest)
        for name in sorted(patch.usable(state) & {*providers.names(state.plan.providers)}):
            names.setdefault(name, [])  # tasks for it may be added
        known = {name: providers.get(name, state.plan.providers.get(name, {})) for name in names}
        if ignored := rights.unheeded(rest, one.workspace):
            how = "(--trust-project-config has them honoured)"
            watchers.notice(f"not honoured by agents: {', '.join(ignored)} {how}")
        for warning in uncounted(state.plan, names):
            watchers.notice(f"warning: {warning}")
        if recording is not None:
            known = _recorded(known, recording)
        watch = _unless_it_fails(watchers.step)
        gate = _gate(state, known, stop, watch, watchers.notice)
        agents = Agents(one, state, known, watch, gate)
        attempts = Attempts(agents, patience, _learned(one, rest))
        attempts.sites.share(here)
        attempts.sites.dock = dock
        observers = [agents.arrivals, *watchers.observers, Derived(one)]
        observers += [recording] if recording is not None else []
        if trees is not None:
            attempts.sites.use(trees)
            observers.append(lifecycle.Branch(trees))
        return await run(
            state, written, attempts, begun, inbox=one, observers=observers, hold=attempts.hold, stop=stop
        )


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
def _signals(stop: Stop, patience: Patience, notice: Callable[[str], None]) -> Iterator[None]:
    """First Ctrl-C: interrupt what runs, keep it resumable. Second: kill it now.

    What the process was started to ignore (``nohup``, a shell's background job) stays ignored.
    """
    loop = asyncio.get_running_loop()
    got: list[str] = []

    def interrupt(code: Exit, name: str) -> None:
        got.append(name)
        if len(got) > 1:
            patience.run_out()
            notice(f"{name} again: killing what runs now")
        else:
            stop.request(code, f"interrupted by {name}", interrupt=True)
            notice(f"{name}: interrupting what runs ({name} again kills it now); `aca resume` goes on")

    wanted = {
        signal.SIGINT: (Exit.INTERRUPTED, "Ctrl-C"),
        signal.SIGTERM: (Exit.TERMINATED, "SIGTERM"),
        signal.SIGHUP: (Exit.TERMINATED, "SIGHUP"),
        signal.SIGQUIT: (Exit.TERMINATED, "SIGQUIT"),
    }
    for number in (signal.SIGHUP, signal.SIGQUIT):  # what the terminal does is not to end it then
        if signal.getsignal(number) is signal.SIG_IGN:
            del wanted[number]
    for number in wanted:
        loop.add_signal_handler(number, interrupt, *wanted[number])
    try:
        yield
    finally:
        for number in wanted:
            loop.remove_signal_handler(number)


def end_orphans(workspace: Path, notice: Callable[[str], None], mine: Session | None = None) -> None:
    """End what killed acas left running in *workspace*. The caller holds the lock of *mine*."""
    dead = [one.id for one in session.listing(workspace) if one == mine or not one.is_running()]
    if pids := process.end_orphans(dead):
        notice(f"ended {len(pids)} process(es) that an earlier aca left behind: {pids}")
    leftovers.reap(workspace, os.environ, notice, mine)
