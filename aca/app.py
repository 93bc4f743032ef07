"""All that the outside may ask of aca: prepare a plan, start it, resume it, answer it, look at it.

Everything is put together here, once: settings, parsers, providers, session, loop.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aca import (
    clean,
    containers,
    history,
    journal,
    kept,
    limits,
    parse,
    patch,
    process,
    providers,
    rights,
    secrets,
    session,
    touches,
    trial,
    work,
)
from aca import events as ev
from aca.attempt import Attempts
from aca.collection import collect
from aca.config import Merged
from aca.consultation import Agents, Watch
from aca.errors import (
    DamagedJournalError,
    Exit,
    InputError,
    MachineError,
    Problem,
    SessionError,
    SessionInUseError,
    did_you_mean,
)
from aca.estimate import Estimate, estimate
from aca.limits.gate import Gate
from aca.logs import system_log
from aca.messages import Message, absorb
from aca.place import Patience
from aca.plan import SCHEMA_ID, Plan
from aca.prepare import (
    Prepared,
    Request,
    effective,
    no_garbage_collection,
    prepare,
    provider_problems,
    settings,
    settled,
    used_providers,
    workspace_problems,
)
from aca.providers import base
from aca.providers.budgeted import uncounted
from aca.providers.declaration import Declaration
from aca.providers.recorded import Recorded
from aca.providers.recording import Recording, refuse_other
from aca.resumption import Resumption, reopenings
from aca.run import Observer, run
from aca.session import Session
from aca.state import SessionState, fold
from aca.stop import Stop
from aca.values import laid_over
from aca.workspaces import choice, git
from aca.workspaces.docker import Dock
from aca.workspaces.inplace import Inplace
from aca.workspaces.worktree import Worktrees

__all__ = [
    "Prepared",
    "Request",
    "Resumption",
    "collect",
    "effective",
    "prepare",
    "provider_problems",
    "refuse_other",
    "settings",
    "settled",
    "used_providers",
]

log = logging.getLogger(__name__)

# -- run ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Watchers:
    """Who sees what: ``observers`` the events, ``step`` every step of an agent, ``notice`` remarks."""

    observers: Sequence[Observer] = ()
    step: Watch = lambda _task, _step: None
    notice: Callable[[str], None] = lambda _text: None


def start(prepared: Prepared, workspace: Path, notice: Callable[[str], None] = lambda _text: None) -> Session:
    """A new session for a prepared plan. Raises InputError when it cannot be done here, MachineError when
    the engine for its containers is not here."""
    if found := _faults(prepared, workspace):
        raise InputError(found)
    _provide(prepared.plan, workspace, notice)
    commit = ""
    if choice.uses(prepared.plan, "worktree") and (repository := git.find(workspace)) is not None:
        commit = repository.head
    plan = prepared.plan.model_copy(update={"schema_id": SCHEMA_ID})  # nobody edits it there
    return session.create(workspace, parse.dump_text(plan, "json"), commit)


def problems(prepared: Prepared, workspace: Path) -> list[Problem]:
    """What keeps a plan from being done here, found out without calling anybody."""
    plan = prepared.plan
    of_containers = containers.problems(plan, workspace, os.environ)
    return [*_faults(prepared, workspace), *of_containers]


def _faults(prepared: Prepared, workspace: Path) -> list[Problem]:
    return [*provider_problems(prepared, workspace), *workspace_problems(prepared, workspace)]


def _provide(plan: Plan, workspace: Path, notice: Callable[[str], None]) -> None:
    containers.provide(plan, used_providers(plan), workspace, os.environ, notice)


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
        recording = None if record is None else Recording(record, one)
        with no_garbage_collection():
            state = _take_up(one)
        dock = None
        try:
            begun = ev.RunStarted(pid=os.getpid(), host=platform.node(), overrides=dict(overrides or {}))
            state.plan = effective(one.plan, laid_over(state.overrides, begun.overrides))
            _keep_keys_apart(one, state)
            shutil.rmtree(one.scratch, ignore_errors=True)
            trees = work.ready(one, state)
            here = work.in_place(one, state, record and record.resolve(), watchers.notice)
            dock = containers.dock(one, state, os.environ)
            with journal_of(one, state) as written:
                for event in reopenings(state) if failed else ():
                    state.apply(written.append(event))
                ended = asyncio.run(
                    _drive(one, state, written, begun, watchers, recording, trees, here, dock)
                )
            if trees is not None:
                trees.remove_unneeded()
            return ended
        finally:
            process.end_everything()
            if dock is not None:
                dock.engine.close()
            containers.reap(one.workspace, os.environ, watchers.notice, mine=one)


def _take_up(one: Session) -> SessionState:
    journal.drop_torn_tail(one.journal_path)
    return fold(one.plan, journal.read(one.journal_path))


def _keep_keys_apart(one: Session, state: SessionState) -> None:
    """Know the keys that the plan's agents need, and strike them out of what a killed run has left."""
    for given in state.plan.providers.values():
        if providers.is_declared(given):
            secrets.declare(Declaration.model_validate(given).needs_env)
    for task_id, now in state.states.items():
        if now.status == "in_progress":
            clean.strike_out_of_all(one.task_logs / task_id)


@contextmanager
def journal_of(one: Session, state: SessionState) -> Iterator[journal.Journal]:
    """The writing end of a session's journal, closed at the end."""
    written = journal.Journal(one.journal_path, state.seq)
    try:
        yield written
    finally:
        written.close()


async def _drive(
    one: Session,
    state: SessionState,
    written: journal.Journal,
    begun: ev.RunStarted,
    watchers: Watchers,
    recording: Recording | None,
    trees: Worktrees | None,
    here: Inplace,
    dock: Dock | None,
) -> ev.RunEnded:
    stop, patience = Stop(), Patience()
    with _signals(stop, patience, watchers.notice):
        names = used_providers(_left(state, state.plan))
        for name in sorted(patch.usable(state) & {*providers.names(state.plan.providers)}):
            names.setdefault(name, [])  # tasks for it may be added
        known = {name: providers.get(name, state.plan.providers.get(name, {})) for name in names}
        if ignored := rights.unheeded(_left(state, state.plan), one.workspace):
            how = "(--trust-project-config has them honoured)"
            watchers.notice(f"not honoured by agents: {', '.join(ignored)} {how}")
        for warning in uncounted(state.plan, names):
            watchers.notice(f"warning: {warning}")
        if recording is not None:
            known = {name: Recorded(provider, recording) for name, provider in known.items()}
        watch = _unless_it_fails(watchers.step)
        gate = _gate(state, known, stop, watch, watchers.notice)
        agents = Agents(one, state, known, watch, gate)
        attempts = Attempts(agents, patience, _learned(one, state))
        attempts.sites.share(here)
        attempts.sites.dock = dock
        observers = [agents.arrivals, *watchers.observers, Derived(one)]
        observers += [recording] if recording is not None else []
        if trees is not None:
            attempts.sites.use(trees)
            observers.append(work.Branch(trees))
        return await run(
            state, written, attempts, begun, inbox=one, observers=observers, hold=attempts.hold, stop=stop
        )


def _learned(one: Session, state: SessionState) -> touches.Learned:
    """What tasks are known to change from earlier sessions, where several work at once and it is of use."""
    if state.plan.execution_mode == "sequential":
        return {}
    found = estimate(_left(state, state.plan), history.samples(one.workspace, but=one.id))
    return {name: guess.touches for name, guess in found.tasks.items() if guess.touches}


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


def _left(state: SessionState, plan: Plan) -> Plan:
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


class Derived:
    """Keeps the files that are derived from the journal, at every checkpoint and at the end."""

    def __init__(self, one: Session) -> None:
        self._session = one

    def event(self, event: ev.Event, state: SessionState) -> None:
        if isinstance(event, ev.RunStarted | ev.RunEnded | ev.CheckpointCreated):
            session.write_derived(self._session, state)


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
    }
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        del wanted[signal.SIGHUP]  # started with nohup: to go on when the terminal closes is what is wanted
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
    containers.reap(workspace, os.environ, notice, mine)


def left_containers(workspace: Path, *, remove: bool) -> list[str]:
    """The containers that killed acas left behind, which are gone with *remove*; none without an engine."""
    try:
        return containers.names_left(workspace, os.environ, remove=remove)
    except MachineError:
        return []


# -- resume, tell, look -------------------------------------------------------------------------------


def go_on(
    found: Resumption,
    overrides: Mapping[str, Any],
    notice: Callable[[str], None],
    roll_back: bool | None = None,
) -> Session:
    """The session to carry out, after what a killed aca left running in it has been ended.

    From a checkpoint on, files that tasks have changed in place since are as they were then: not so where
    *roll_back* is False; where it is None, only as long as nobody else has changed them since. Raises
    SessionInUseError, SessionError, or InputError when what is left cannot be done with *overrides* laid over
    its plan; nothing has been written then.
    """
    is_fork = found.until is not None
    with nullcontext() if is_fork else found.origin.lock():
        end_orphans(found.origin.workspace, notice, mine=None if is_fork else found.origin)
    _refuse_unfit(found, overrides, notice)
    if found.until is None:
        return found.origin
    if roll_back is not False:
        _roll_back(found.origin, found.until, roll_back is True, notice)
    made = session.fork(found.origin, found.until)
    kept.hold(made)
    return made


def _roll_back(origin: Session, until: int, force: bool, notice: Callable[[str], None]) -> None:
    try:
        done = kept.roll_back(origin, until, force=force)
    except DamagedJournalError:
        notice(
            "what tasks have changed since is not known, as the journal is damaged: files stay as they are"
        )
        return
    if done.paths:
        files = "1 file is" if len(done.paths) == 1 else f"{len(done.paths)} files are"
        back = f"aca restore --undo --session {origin.id}"
        notice(f"{files} as at that checkpoint again; what was there is kept: {back}")


def _refuse_unfit(found: Resumption, overrides: Mapping[str, Any], notice: Callable[[str], None]) -> None:
    state = found.state
    plan = effective(state.plan, laid_over(state.overrides, overrides))
    left = Prepared(_left(state, plan), Merged())
    stays = choice.moved(_left(state, state.plan), left.plan, found.origin.workspace)
    told = [Problem(one.message, one.cure) for one in stays]
    if told := [*provider_problems(left, found.origin.workspace), *told]:
        raise InputError(told)
    _provide(left.plan, found.origin.workspace, notice)


def tell(one: Session, message: Message) -> bool:
    """Hand a message to the session. True when a live runner reads it, False when it is recorded here."""
    sent = one.send(message)
    try:
        with one.lock():
            state = _take_up(one)
            state.plan = effective(one.plan, state.overrides)
            was_read = sent in state.messages  # by a runner that has ended since
            names = [name for name, _ in one.messages()]
            with journal_of(one, state) as written:
                for name, entry in one.messages():
                    if entry is not None and name not in state.messages:
                        for event in absorb(state, name, entry):
                            state.apply(written.append(event))
                written.commit()
            one.forget(names)
    except SessionInUseError:
        return True
    return was_read


def estimated(plan: Plan, workspace: Path) -> Estimate:
    """What the open tasks of *plan* may take, going by the finished sessions of the workspace."""
    return estimate(plan, history.samples(workspace))


def waiting(one: Session, task_id: str) -> SessionState:
    """The session's state, after making sure that *task_id* is an approval that is still open."""
    state = one.state()
    if task_id not in state.tasks:
        cure = did_you_mean(task_id, state.tasks)
        raise SessionError(f'session {one.id} has no task "{task_id}"\n   {cure}')
    task, now = state.tasks[task_id], state.states[task_id]
    if task.kind != "approval" and not (now.proposed and now.status == "blocked"):
        raise SessionError(f'"{task_id}" is of kind {task.kind}, not an approval: {now.reason or now.status}')
    if now.settled:
        raise SessionError(f'"{task_id}" is {now.status} already: {now.summary or now.reason}')
    return state


def try_out(name: str, given: Mapping[str, Any]) -> trial.Answer:
    """Call the provider *name* once, for one word. No process of its is left when this returns."""
    process.become_subreaper()
    try:
        return asyncio.run(trial.ask(name, given))
    finally:
        process.end_everything()
