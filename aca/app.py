"""All that the outside may ask of aca: prepare a plan, start it, resume it, answer it, look at it.

Everything is put together here, once: settings, parsers, providers, session, loop.
"""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aca import events as ev
from aca import journal, parse, process, providers, session, trial
from aca.attempt import Attempts, Watch
from aca.config import Merged
from aca.errors import (
    DamagedJournalError,
    DriftError,
    Exit,
    InputError,
    SessionError,
    SessionInUseError,
    did_you_mean,
)
from aca.logs import system_log
from aca.plan import profile
from aca.prepare import (
    Prepared,
    Request,
    effective,
    no_garbage_collection,
    prepare,
    provider_problems,
    settings,
    used_providers,
)
from aca.run import Observer, Stop, absorb, run
from aca.session import Session
from aca.state import SessionState, fold, laid_over

__all__ = ["Prepared", "Request", "effective", "prepare", "provider_problems", "settings", "used_providers"]

# -- run ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Watchers:
    """Who sees what: ``observers`` the events, ``step`` every step of an agent, ``notice`` remarks."""

    observers: Sequence[Observer] = ()
    step: Watch = lambda _task, _step: None
    notice: Callable[[str], None] = lambda _text: None


def start(prepared: Prepared, workspace: Path) -> Session:
    """A new session for a prepared plan. Raises InputError when its providers cannot do it."""
    problems = provider_problems(prepared, workspace)
    if problems:
        raise InputError(problems)
    return session.create(workspace, parse.dump_text(prepared.plan, "json"))


def refuse_unfit(one: Session, state: SessionState, overrides: Mapping[str, Any]) -> None:
    """Raise InputError when what is left of a session cannot be done, with *overrides* laid over its plan."""
    plan = effective(one.plan, laid_over(state.overrides, overrides))
    left = tuple(task for task in state.tasks.values() if not state.states[task.id].settled)
    unfit = Prepared(plan.model_copy(update={"tasks": left}), Merged())
    if problems := provider_problems(unfit, one.workspace):
        raise InputError(problems)


def carry_out(one: Session, watchers: Watchers, overrides: Mapping[str, Any] | None = None) -> ev.RunEnded:
    """Run the session to its end, from wherever it is.

    Raises SessionInUseError, DamagedJournalError, DriftError or MachineError. Whatever happens, no child
    process is left when this returns.
    """
    process.become_subreaper()
    with one.lock(), system_log(one.system_log, one.plan.logging):
        end_orphans(one, watchers.notice)
        with no_garbage_collection():
            state = _take_up(one)
        try:
            begun = ev.RunStarted(pid=os.getpid(), host=platform.node(), overrides=dict(overrides or {}))
            state.plan = effective(one.plan, laid_over(state.overrides, begun.overrides))
            with journal_of(one, state) as written:
                return asyncio.run(_drive(one, state, written, begun, watchers))
        finally:
            process.end_everything()


def _take_up(one: Session) -> SessionState:
    journal.drop_torn_tail(one.journal_path)
    return fold(one.plan, journal.read(one.journal_path))


@contextmanager
def journal_of(one: Session, state: SessionState) -> Iterator[journal.Journal]:
    """The writing end of a session's journal, closed at the end."""
    written = journal.Journal(one.journal_path, state.seq)
    try:
        yield written
    finally:
        written.close()


async def _drive(
    one: Session, state: SessionState, written: journal.Journal, begun: ev.RunStarted, watchers: Watchers
) -> ev.RunEnded:
    stop, patience = Stop(), process.Patience()
    with _signals(stop, patience, watchers.notice):
        names = {*used_providers(state.plan), *_every_provider(state)}
        known = {name: providers.get(name, state.plan.providers.get(name, {})) for name in names}
        attempts = Attempts(one, state, known, watchers.step, patience)
        observers = [*watchers.observers, Derived(one)]
        return await run(state, written, attempts, begun, inbox=one, observers=observers, stop=stop)


def _every_provider(state: SessionState) -> set[str]:
    """Providers of all agent tasks, subtasks that came later included."""
    tasks = [task for task in state.tasks.values() if task.kind == "agent"]
    return {name for task in tasks if (name := profile(state.plan, task).provider)}


class Derived:
    """Keeps the files that are derived from the journal, at every checkpoint and at the end."""

    def __init__(self, one: Session) -> None:
        self._session = one

    def event(self, event: ev.Event, state: SessionState) -> None:
        if isinstance(event, ev.RunStarted | ev.RunEnded | ev.CheckpointCreated):
            session.write_derived(self._session, state)


@contextmanager
def _signals(stop: Stop, patience: process.Patience, notice: Callable[[str], None]) -> Iterator[None]:
    """First Ctrl-C: interrupt what runs, keep it resumable. Second: kill it now."""
    loop = asyncio.get_running_loop()

    def interrupt(code: Exit, name: str) -> None:
        if stop.interrupt:
            notice(f"{name} again: killing what runs now")
            patience.run_out()
        else:
            notice(f"{name}: interrupting what runs ({name} again kills it now); `aca resume` goes on")
            stop.request(code, f"interrupted by {name}", interrupt=True)

    wanted = {
        signal.SIGINT: (Exit.INTERRUPTED, "Ctrl-C"),
        signal.SIGTERM: (Exit.TERMINATED, "SIGTERM"),
        signal.SIGHUP: (Exit.TERMINATED, "SIGHUP"),
    }
    for number, (code, name) in wanted.items():
        loop.add_signal_handler(number, interrupt, code, name)
    try:
        yield
    finally:
        for number in wanted:
            loop.remove_signal_handler(number)


def end_orphans(mine: Session, notice: Callable[[str], None]) -> None:
    """End what a killed aca left running in the workspace of *mine*, whose lock the caller holds."""
    others = [one.id for one in session.listing(mine.workspace) if one != mine and not one.is_running()]
    if pids := process.end_orphans([mine.id, *others]):
        notice(f"ended {len(pids)} process(es) that an earlier aca left behind: {pids}")


# -- resume, tell, look -------------------------------------------------------------------------------


def to_resume(workspace: Path, name: str | None, failed: bool = False) -> Session:
    """The session that ``aca resume NAME`` means: the newest unfinished one, a named one, or a fork.

    A checkpoint with finished tasks after it is an older one: it becomes a session of its own.
    """
    if name is None:
        return _newest_unfinished(workspace, failed)
    if ":" not in name and any(one.id.startswith(name) for one in session.listing(workspace)):
        return session.find(workspace, name)
    try:
        found = session.find_checkpoint(workspace, name)
    except DamagedJournalError:
        if ":" not in name:
            raise
        found = None  # what stands before the damage can still be gone on with
    if found is None:
        one = session.find(workspace, name.partition(":")[0])
        return _fork_anywhere(one, name.partition(":")[2])
    one, checkpoint = found
    is_newest = checkpoint.seq >= max(known.seq for known in one.state().checkpoints)
    return one if is_newest else session.fork(one, checkpoint.seq)


def _newest_unfinished(workspace: Path, failed: bool) -> Session:
    newest = session.newest(workspace)
    for one in reversed(session.listing(workspace)):
        try:
            state = one.state()
        except DamagedJournalError:
            if one == newest:
                raise
            continue  # an older one that is damaged holds nothing up
        if state.unfinished() or (failed and state.failed()):
            return one
    return newest


def _fork_anywhere(one: Session, number: str) -> Session:
    """From any event on, also in front of damage: ``SESSION:NUMBER``."""
    until = int(number) if number.isdigit() else 0
    if until < 1 or len(journal.read(one.journal_path, until)) < until:
        raise SessionError(f'"{number}" is no checkpoint of session {one.id}: see aca --list-checkpoints')
    return session.fork(one, until)


def reopen_failed(one: Session) -> int:
    """Make every failed task of a session pending again, and what was skipped because of them."""
    with one.lock():
        state = _take_up(one)
        dead = [task_id for task_id, task in state.states.items() if task.dead]
        with journal_of(one, state) as written:
            for task_id in dead:
                written.append(ev.TaskReopened(task=task_id, reason="asked for by --failed"))
            written.commit()
    return len(dead)


def tell(one: Session, message: session.Message) -> bool:
    """Hand a message to the session. True when a live runner reads it, False when it is recorded here."""
    sent = one.send(message)
    try:
        with one.lock():
            state = _take_up(one)
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


def waiting(one: Session, task_id: str) -> SessionState:
    """The session's state, after making sure that *task_id* is an approval that is still open."""
    state = one.state()
    if task_id not in state.tasks:
        cure = did_you_mean(task_id, state.tasks)
        raise SessionError(f'session {one.id} has no task "{task_id}"\n   {cure}')
    task, now = state.tasks[task_id], state.states[task_id]
    if task.kind != "approval":
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


def collect(workspace: Path, older_than: float, force: bool, dry_run: bool) -> list[tuple[Session, str]]:
    """Remove finished sessions older than *older_than* seconds; returns (session, what became of it).

    One that is running is never removed, one that could be resumed only with *force*.
    """
    report: list[tuple[Session, str]] = []
    for one in session.listing(workspace):
        verdict = _doom(one, older_than, force)
        if verdict == "removed" and not dry_run:
            session.remove(one)
        report.append((one, verdict))
    if not dry_run:
        session.sweep(workspace)
    return report


def _doom(one: Session, older_than: float, force: bool) -> str:
    if one.is_running():
        return "kept: it is running"
    try:
        state = one.state()
    except (SessionError, DriftError) as error:
        return "removed" if force else f"kept, needs --force: {str(error).splitlines()[0]}"
    if time.time() - state.updated_at < older_than:
        return "kept: younger than asked"
    if state.unfinished() and not force:
        return "kept, needs --force: it can still be resumed"
    return "removed"
