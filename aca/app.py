"""All that the outside may ask of aca: prepare a plan, start it, resume it, answer it, look at it.

Everything is put together here, once: settings, parsers, providers, session, loop.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import platform
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aca import config, journal, parse, process, providers, session
from aca import events as ev
from aca.attempt import Attempts, Watch
from aca.errors import DriftError, Exit, InputError, MachineError, Problem, SessionError, SessionInUse, did_you_mean
from aca.logs import system_log
from aca.plan import Plan, Task, profile
from aca.run import Observer, Stop, absorb, run
from aca.session import Session
from aca.state import SessionState, fold, laid_over

DEFAULT_PROVIDER = "claude-cli"


@dataclass(frozen=True)
class Request:
    """What is to be planned: a file, and what the command line says on top of it.

    ``flags`` is a piece of plan; ``only`` and ``skip`` are task ids; ``allow_drift`` names fields of a
    plan that may have moved since it was made.
    """

    file: Path
    workspace: Path
    flags: Mapping[str, Any] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    allow_drift: tuple[str, ...] = ()
    must_be_plan: bool = False


@dataclass(frozen=True)
class Prepared:
    """A plan that can run, and where each of its settings came from."""

    plan: Plan
    settings: config.Merged


# -- plan ---------------------------------------------------------------------------------------------


def prepare(request: Request, environ: Mapping[str, str]) -> Prepared:
    """Read the file, lay settings over each other, validate. Writes nothing, calls nobody.

    Raises InputError with every problem found, and DriftError when a plan's source has moved.
    """
    with _no_garbage_collection():
        document = parse.read(request.file, base=request.workspace)
        if request.must_be_plan and not document.is_plan:
            cure = f"for a task file write: aca --task-file {request.file}"
            raise InputError(Problem("this is not a plan: it has no format_version", cure, document.path))
        merged = _merge(document, request, environ)
        plan = parse.validate(merged.data, merged.problem, document.problems)
    if document.is_plan:
        _refuse_drift(plan, request)
    return Prepared(_select(plan, request.only, request.skip), merged)


def _merge(document: parse.Document, request: Request, environ: Mapping[str, str]) -> config.Merged:
    """A plan is what was reviewed: only flags and environment change it. A task file takes settings."""
    below = [] if document.is_plan else config.file_layers(request.workspace, environ)
    layers = [*below, config.Layer("task file", document.data, document)]
    above = [*config.environment_layers(environ), config.Layer("command line", request.flags)]
    merged = config.merge([*layers, *above])
    _let_flags_decide(merged, above)
    _append_prompt(merged, config.merge(layers).data, above)
    if not document.is_plan:
        parse.imply_mode(merged.data)
        parse.share_checks(merged.data)
        merged.data["source"] = _source(document, request)
    merged.data.setdefault("defaults", {}).setdefault("provider", DEFAULT_PROVIDER)
    return merged


def _let_flags_decide(merged: config.Merged, above: Sequence[config.Layer]) -> None:
    """``-j 3`` on a sequential plan means: in parallel, then. And a mode brings its own number along."""
    said = {key: layer for layer in above for key in _MODE_AND_NUMBER if key in layer.data}
    data, number = merged.data, merged.data.get("max_concurrent_tasks")
    if list(said) == ["max_concurrent_tasks"] and isinstance(number, int) and number > 1:
        if data.get("execution_mode", "sequential") == "sequential":
            data["execution_mode"] = "parallel"
            merged.layers[("execution_mode",)] = said["max_concurrent_tasks"]
    elif list(said) == ["execution_mode"] and (data["execution_mode"] == "sequential" or number == 1):
        data.pop("max_concurrent_tasks", None)
        merged.layers.pop(("max_concurrent_tasks",), None)
        parse.imply_mode(data)


_MODE_AND_NUMBER = ("execution_mode", "max_concurrent_tasks")


def _append_prompt(merged: config.Merged, below: Mapping[str, Any], above: Sequence[config.Layer]) -> None:
    """``--append-system-prompt`` adds to what the file says; all else that flags say replaces it."""
    written, defaults = below.get("defaults"), merged.data.get("defaults")
    is_given = any("system_prompt" in layer.data.get("defaults", {}) for layer in above)
    if is_given and isinstance(written, Mapping) and isinstance(defaults, dict):
        texts = (written.get("system_prompt"), defaults["system_prompt"])
        defaults["system_prompt"] = "\n\n".join(str(text) for text in texts if text)


def _source(document: parse.Document, request: Request) -> dict[str, str]:
    data = request.file.read_bytes()
    return {"path": parse.relative(request.file, request.workspace), "sha256": session.digest(data)}


def _refuse_drift(plan: Plan, request: Request) -> None:
    """A plan whose task file has changed is not what anybody wants to run now."""
    if plan.source is None or "source" in request.allow_drift:
        return
    path = request.workspace / plan.source.path
    if path.is_file() and session.digest(path.read_bytes()) != plan.source.sha256:
        raise DriftError(
            "source",
            f"{plan.source.path} has changed since {request.file} was made from it\n"
            f"   make the plan again (aca --task-file {plan.source.path} --dry-run --dump-plan "
            f"{request.file}), or run it as it is with --allow-drift source",
        )


def _select(plan: Plan, only: Sequence[str], skip: Sequence[str]) -> Plan:
    """*plan* with everything that ``--only`` and ``--skip`` leave out marked as skipped."""
    tasks = {task.id: task for task in plan.tasks}
    problems = [
        Problem(f'there is no task "{name}" ({flag})', did_you_mean(name, tasks))
        for flag, names in (("--only", only), ("--skip", skip))
        for name in names
        if name not in tasks
    ]
    if problems:
        raise InputError(problems)
    wanted = _needed(plan, only) if only else set(tasks)
    wanted -= _with_subtasks(plan, skip)
    return plan.model_copy(update={"tasks": tuple(_wanted(task, wanted) for task in plan.tasks)})


def _wanted(task: Task, wanted: set[str]) -> Task:
    if task.id in wanted or task.status != "pending":
        return task
    return task.model_copy(update={"status": "skipped"})


def _with_subtasks(plan: Plan, names: Sequence[str]) -> set[str]:
    """*names* and every task below them."""
    children: dict[str | None, list[str]] = {}
    for task in plan.tasks:
        children.setdefault(task.parent_id, []).append(task.id)
    return _reach(names, lambda name: children.get(name, []))


def _needed(plan: Plan, names: Sequence[str]) -> set[str]:
    """*names*, what is below them, and what all of these need, groups around them included."""
    tasks = {task.id: task for task in plan.tasks}
    chosen = _with_subtasks(plan, names)
    above = _reach(sorted(chosen), lambda name: [parent] if (parent := tasks[name].parent_id) else [])
    needed = _reach(sorted(above), lambda name: tasks[name].dependencies)
    return above if needed == above else above | _needed(plan, sorted(needed - above))


def _reach(start: Sequence[str], step: Callable[[str], Sequence[str]]) -> set[str]:
    found, queue = set(start), list(start)
    while queue:
        for name in step(queue.pop()):
            if name not in found:
                found.add(name)
                queue.append(name)
    return found


def settings(workspace: Path, environ: Mapping[str, str]) -> Prepared:
    """What a task file gets that says nothing itself, as a plan without tasks. Raises InputError."""
    layers = [*config.file_layers(workspace, environ), *config.environment_layers(environ)]
    merged = config.merge(layers)
    parse.imply_mode(merged.data)
    parse.share_checks(merged.data)
    merged.data.setdefault("defaults", {}).setdefault("provider", DEFAULT_PROVIDER)
    return Prepared(parse.validate(merged.data, merged.problem), merged)


# -- providers ----------------------------------------------------------------------------------------


def used_providers(plan: Plan) -> dict[str, list[Task]]:
    """Provider name -> the agent tasks that are still to be done by it."""
    groups = {task.parent_id for task in plan.tasks}
    used: dict[str, list[Task]] = {}
    for task in plan.tasks:
        if task.kind == "agent" and task.status == "pending" and task.id not in groups:
            used.setdefault(profile(plan, task).provider or DEFAULT_PROVIDER, []).append(task)
    return used


def provider_problems(prepared: Prepared, workspace: Path) -> list[Problem]:
    """What keeps the providers of a plan from doing it, found out without calling any."""
    problems: list[Problem] = []
    for name, tasks in used_providers(prepared.plan).items():
        try:
            given = prepared.plan.providers.get(name, {})
            problems += providers.problems(name, given, tasks, workspace)
        except ValidationError as error:
            for fault in error.errors():
                loc = ("providers", name, *fault["loc"])
                message = f"providers.{name}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}"
                problems.append(prepared.settings.problem(loc, message))
    return problems


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
    unfit = Prepared(plan.model_copy(update={"tasks": left}), config.Merged())
    if problems := provider_problems(unfit, one.workspace):
        raise InputError(problems)


def carry_out(one: Session, watchers: Watchers, overrides: Mapping[str, Any] | None = None) -> ev.RunEnded:
    """Run the session to its end, from wherever it is.

    Raises SessionInUse, DamagedJournal, DriftError or MachineError. Whatever happens, no child process
    is left when this returns.
    """
    process.become_subreaper()
    with one.lock(), system_log(one.system_log, one.plan.logging):
        end_orphans(one.workspace, watchers.notice)
        with _no_garbage_collection():
            state = _take_up(one)
        try:
            with journal_of(one, state) as written:
                begun = ev.RunStarted(pid=os.getpid(), host=platform.node(), overrides=dict(overrides or {}))
                state.apply(written.append(begun))
                state.plan = effective(one.plan, state.overrides)
                return asyncio.run(_drive(one, state, written, watchers))
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
    one: Session, state: SessionState, written: journal.Journal, watchers: Watchers
) -> ev.RunEnded:
    stop, patience = Stop(), process.Patience()
    with _signals(stop, patience, watchers.notice):
        names = {name: providers.get(name) for name in {*used_providers(state.plan), *_every_provider(state)}}
        attempts = Attempts(one, state, names, watchers.step, patience)
        observers = [*watchers.observers, Derived(one)]
        return await run(state, written, attempts, inbox=one, observers=observers, stop=stop)


def _every_provider(state: SessionState) -> set[str]:
    """Providers of all agent tasks, subtasks that came later included."""
    tasks = [task for task in state.tasks.values() if task.kind == "agent"]
    return {profile(state.plan, task).provider or DEFAULT_PROVIDER for task in tasks}


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


def effective(plan: Plan, overrides: Mapping[str, Any]) -> Plan:
    """*plan* with a resume's overrides (a piece of plan) laid over it."""
    if not overrides:
        return plan
    data = plan.model_dump(mode="json", by_alias=True, exclude={"tasks"})
    above = [config.Layer("command line", overrides)]
    merged = config.merge([config.Layer("plan", data), *above])
    _let_flags_decide(merged, above)
    _append_prompt(merged, data, above)
    return Plan.model_validate(merged.data).model_copy(update={"tasks": plan.tasks})


def end_orphans(workspace: Path, notice: Callable[[str], None] = lambda _text: None) -> None:
    """End the processes that a killed aca left in this workspace."""
    ended = [one.id for one in session.listing(workspace) if not one.is_running()]
    if pids := process.end_orphans(ended):
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
    found = session.find_checkpoint(workspace, name)
    if found is None:
        one = session.find(workspace, name.partition(":")[0])
        return _fork_anywhere(one, name.partition(":")[2])
    one, checkpoint = found
    is_newest = checkpoint.seq >= max(known.seq for known in one.state().checkpoints)
    return one if is_newest else session.fork(one, checkpoint.seq)


def _newest_unfinished(workspace: Path, failed: bool) -> Session:
    newest = session.newest(workspace)
    for one in reversed(session.listing(workspace)):
        state = one.state()
        if state.unfinished() or (failed and state.failed()):
            return one
    return newest


def _fork_anywhere(one: Session, number: str) -> Session:
    """From any event on, also in front of damage: ``SESSION:NUMBER``."""
    if not number.isdigit() or int(number) < 1:
        raise SessionError(f'"{number}" is no checkpoint of session {one.id}: see aca --list-checkpoints')
    return session.fork(one, int(number))


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
    """Hand a message to the session. True when a live runner will read it, False when it is recorded."""
    one.send(message)
    try:
        with one.lock():
            state = _take_up(one)
            names = [name for name, _ in one.messages()]
            with journal_of(one, state) as written:
                for name, entry in one.messages():
                    if entry is not None and name not in state.messages:
                        for event in absorb(state, name, entry):
                            state.apply(written.append(event))
                written.commit()
            one.forget(names)
    except SessionInUse:
        return True
    return False


def waiting(one: Session, task_id: str) -> SessionState:
    """The session's state, after making sure that *task_id* is an approval that is still open."""
    state = one.state()
    if task_id not in state.tasks:
        raise SessionError(f'session {one.id} has no task "{task_id}"\n   {did_you_mean(task_id, state.tasks)}')
    task, now = state.tasks[task_id], state.states[task_id]
    if task.kind != "approval":
        raise SessionError(f'"{task_id}" is of kind {task.kind}, not an approval: {now.reason or now.status}')
    if now.settled:
        raise SessionError(f'"{task_id}" is {now.status} already: {now.summary or now.reason}')
    return state


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


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Loading a large plan makes only objects that stay: looking for garbage among them is most of its cost."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
