"""One attempt at one task: place, provider or command, checks, merge, ending.

``Attempts`` is what the loop calls as ``execute``. It decides nothing about the session: it does the work
and says how that ended.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

from aca import events as ev
from aca import journal, merge, process, prompt
from aca.checks import run_check, tail
from aca.errors import DISK_ERRORS, MachineError
from aca.patch import subtasks
from aca.plan import Check, Profile, Task, profile
from aca.providers import base
from aca.run import Tell
from aca.session import Session
from aca.state import SessionState
from aca.values import Command, command_text
from aca.workspaces import git
from aca.workspaces.base import Ground, Kept, TreeError, Workspace
from aca.workspaces.inplace import Inplace
from aca.workspaces.worktree import Worktrees

log = logging.getLogger(__name__)

SUMMARY_CHARS = 2000
"""How much of an agent's last word is kept as the task's result."""
OUTPUT_CHARS = 400
"""How much of a failed command's output goes into the reason."""

_OF_ONE_FILE = {errno.EACCES, errno.EPERM}
"""Said of one file, which may be the plan's choice, rather than of the disk."""

E = TypeVar("E", bound=ev.AttemptEnded)

Watch = Callable[[str, base.Step], None]
"""Told every step of every attempt as it happens; decides nothing."""


@dataclass
class Attempts:
    """Everything an attempt needs that is the same for all of a session."""

    session: Session
    state: SessionState
    providers: Mapping[str, base.Provider]
    watch: Watch
    patience: process.Patience = field(default_factory=process.Patience)
    queue: merge.Queue | None = None
    """Where work in worktrees is merged; None where there is none."""
    slots: set[int] = field(default_factory=set)
    """Numbers of the attempts that run now; no two have the same."""

    def __post_init__(self) -> None:
        self.workspaces: Mapping[str, Workspace] = {"inplace": Inplace(self.workspace)}

    def use(self, trees: Worktrees) -> None:
        """From now on tasks may work in *trees*, and what they do there is merged."""
        self.workspaces = {**self.workspaces, "worktree": trees}
        self.queue = merge.Queue(trees, self.state.integrated)

    async def __call__(self, task_id: str, attempt: int, tell: Tell) -> ev.Ending:
        """Do the attempt. Raises MachineError when the disk, not the task, is at fault."""
        try:
            return await _Attempt(self, self.state.tasks[task_id], attempt, tell).run()
        except OSError as error:
            if error.errno in DISK_ERRORS:
                raise MachineError(f"{error.filename or self.session.path}: {error.strerror}") from error
            if not self.session.path.exists():
                raise MachineError(f"{self.session.path} is gone: something has removed it") from error
            raise

    def blames_plan(self, error: OSError) -> bool:
        """Whether *error* is about a file that the plan names: the disk is sound, and it is none of ours."""
        if not isinstance(error.filename, str) or error.errno in DISK_ERRORS - _OF_ONE_FILE:
            return False
        return not Path(error.filename).is_relative_to(self.session.path)

    @cached_property
    def workspace(self) -> Path:
        return self.session.workspace

    @cached_property
    def environment(self) -> dict[str, str]:
        return dict(os.environ)


@dataclass
class _Attempt:
    all: Attempts
    task: Task
    number: int
    tell: Tell

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.logs = self.all.session.task_logs / self.task.id
        self.profile: Profile = profile(self.all.state.plan, self.task)
        self.files: dict[str, ev.FileChange] = {}
        self.result = base.Result(stop="done")
        self.workspace: Workspace = self.all.workspaces[self.profile.workspace]
        self.ground: Ground | None = None
        self.kept: Kept | None = None

    async def run(self) -> ev.Ending:
        self.logs.mkdir(exist_ok=True)
        self.slot = next(number for number in itertools.count() if number not in self.all.slots)
        self.all.slots.add(self.slot)
        try:
            return await self.run_in_slot()
        finally:
            self.all.slots.discard(self.slot)

    async def run_in_slot(self) -> ev.Ending:
        """The ending tells what was kept. One that says the work is merged is not waited for any more."""
        ending = await self.until_stopped()
        if self.kept is None and self.ground is not None:
            ending = await self.keep_at_the_end(self.ground, ending)
        if self.kept is None:
            return ending
        known = {"commit": self.kept.commit, "base": self.kept.base, "files": self.kept.files}
        return msgspec.structs.replace(ending, **known)

    async def until_stopped(self) -> ev.Ending:
        try:
            self.ground = await self.workspace.open(self.task.id, self.number)
            place = self.place_on(self.ground)
            failure = await self.furnish(self.ground, place) or await self.work(place)
            return failure or await self.finish(self.ground, place)
        except asyncio.CancelledError:
            return self.ending(ev.TaskInterrupted, reason="stopped before it was done")
        except process.OutsideWorkspaceError as error:
            return self.failed(str(error), "input")
        except TreeError as error:
            return self.failed(str(error), "task")
        except OSError as error:
            if not self.all.blames_plan(error):
                raise
            return self.failed(f"{error.filename}: {error.strerror}", "input")

    async def keep_at_the_end(self, ground: Ground, ending: ev.Ending) -> ev.Ending:
        """Keep what a failed or interrupted attempt left, too."""
        try:
            self.kept = await self.workspace.keep(ground, self.task.id, self.number)
        except TreeError as error:
            log.warning("task %s, attempt %s: %s", self.task.id, self.number, error)
        return ending

    def place_on(self, ground: Ground) -> process.Place:
        """The directory the task works in, and the environment of everything it starts."""
        mark = f"{self.all.session.id}/{self.task.id}/{self.number}"
        marks = {"ACA_SESSION": self.all.session.id, "ACA_TASK": self.task.id, "ACA_ATTEMPT": mark}
        port = self.all.state.plan.workspace.port + self.slot
        slot = {"ACA_SLOT": str(self.slot), "ACA_PORT": str(port)}
        own = git.clean(self.all.environment) if ground.start else self.all.environment
        env = {**own, **self.task.env, **slot, **marks}
        top = process.Place(ground.root, ground.root, env, mark, self.all.patience)
        place = replace(top, path=top.inside(self.all.state.plan.cwd))
        place.path.mkdir(parents=True, exist_ok=True)
        if self.task.cwd is None:
            return place
        path = place.inside(self.task.cwd)
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "this working directory does not exist", str(path))
        return replace(place, path=path)

    async def furnish(self, ground: Ground, place: process.Place) -> ev.TaskFailed | None:
        """What a fresh tree needs before anybody can work in it; the failure where that cannot be had."""
        if not ground.is_fresh:
            return None
        setup = self.all.state.plan.workspace.setup
        output = self.logs / f"{self.number}.setup.log"
        if setup is not None and (failure := await self.run_command(setup, place, output)) is not None:
            return self.failed(f"workspace.setup failed: {failure}", "task")
        await self.workspace.settle(ground)
        return None

    # -- the work -----------------------------------------------------------------------------------

    async def work(self, place: process.Place) -> ev.Ending | None:
        """The task's own work, None when it can be checked now. A group has none of its own."""
        if self.task.id in self.all.state.children:
            return None
        if self.task.kind == "command":
            return await self.work_command(place)
        provider = self.all.providers.get(self.profile.provider or "")
        if provider is None:
            return self.failed(f'there is no provider "{self.profile.provider}" in this run', "input")
        try:
            async with asyncio.timeout(self.profile.timeout):
                await self.consult(provider, place)
        except TimeoutError:
            return self.failed(f"timed out after {self.profile.timeout:g} s", "task")
        return self.judge()

    async def work_command(self, place: process.Place) -> ev.Ending | None:
        assert self.task.command is not None  # the plan was validated
        output = self.logs / f"{self.number}.output.log"
        failure = await self.run_command(self.task.command, place, output)
        if failure is not None and self.task.backup is not None:
            failure = await self.run_command(self.task.backup, place, output)
        return None if failure is None else self.failed(failure, "task")

    async def run_command(self, command: Command, place: process.Place, output: Path) -> str | None:
        """Why the command failed, None when it did not."""
        ended = await process.run(command, place, output=output, timeout=self.profile.timeout)
        if ended.exit_code == 0 and not ended.timed_out:
            return None
        why = "timed out" if ended.timed_out else f"exit code {ended.exit_code}"
        return f"{command_text(command)}: {why}\n{tail(output, place, OUTPUT_CHARS)}".rstrip()

    async def consult(self, provider: base.Provider, place: process.Place) -> None:
        """Hand the task to its provider and keep every step in the transcript."""
        assignment = self.assignment(provider.name, place.root)
        with (self.logs / f"{self.number}.jsonl").open("ab") as transcript:
            async with aclosing(provider.work(assignment, place)) as steps:  # type: ignore[type-var]
                async for step in steps:
                    self.take(encodable(step), provider.name, transcript)

    def assignment(self, provider: str, root: Path) -> base.Assignment:
        state, now = self.all.state, self.all.state.states[self.task.id]
        conflicts = self.ground.conflicts if self.ground else ()
        text = prompt.build(state, self.task, root, self.all.workspace, conflicts=conflicts)
        (self.logs / f"{self.number}.prompt.md").write_text(text, encoding="utf-8")
        follow_up = prompt.refusal(state, self.task, conflicts)
        earlier = now.conversation if now.interrupted or follow_up else None
        return base.Assignment(
            task_id=self.task.id,
            title=self.task.title,
            attempt=self.number,
            prompt=text,
            system_prompt=self.profile.system_prompt,
            model=self.profile.model,
            permissions=self.profile.permissions,
            conversation=earlier[1] if earlier and earlier[0] == provider else None,
            logs=self.logs / str(self.number),
            options=state.plan.providers.get(provider, {}),
            workspace=self.all.workspace,
            follow_up=follow_up,
        )

    def take(self, step: base.Step, provider: str, transcript: BinaryIO) -> None:
        transcript.write(msgspec.json.encode(step) + b"\n")
        transcript.flush()
        if isinstance(step, base.Changed):
            self.files[step.change.path] = step.change
        elif isinstance(step, base.Result):
            self.result = step
        elif isinstance(step, base.Conversed):
            known = self.all.state.states[self.task.id].conversation
            if known != (provider, step.conversation):
                self.tell(self.conversation_started(provider, step.conversation))
        elif isinstance(step, base.Limited):
            self.keep_limits(provider, step.info)
        self.all.watch(self.task.id, step)

    def conversation_started(self, provider: str, conversation: str) -> ev.ConversationStarted:
        return ev.ConversationStarted(
            task=self.task.id, attempt=self.number, provider=provider, conversation=conversation
        )

    def keep_limits(self, provider: str, info: dict[str, Any]) -> None:
        """What the provider last said of its limits, for whoever looks (and for the next run)."""
        path = self.all.session.path / provider / "rate_limit_state.json"
        path.parent.mkdir(exist_ok=True)
        journal.write_aside(path, msgspec.json.encode({"at": time.time(), **info}))

    def judge(self) -> ev.Ending | None:
        """What the provider's own account of its end means; None lets the checks have the last word."""
        result = self.result
        if result.stop == "failed":
            return self.failed(result.reason or "the provider gave no reason", result.category)
        if result.stop == "quota":
            return self.ending(ev.TaskInterrupted, reason=result.reason, quota=True, until=result.until)
        if result.stop == "interrupted":  # but not by us: then nobody would judge it
            return self.failed(result.reason or "the provider was interrupted", "transient")
        if result.stop == "denied":
            tools = ", ".join(result.denied)
            cure = result.reason or 'permissions = "full" would allow it'
            reason = f"the agent was denied {tools}: {cure}"
            return self.ending(ev.TaskBlocked, reason=reason, waits_for="permission")
        return None

    # -- the ending ---------------------------------------------------------------------------------

    async def finish(self, ground: Ground, place: process.Place) -> ev.Ending:
        """Claimed is not done: the checks decide. Subtasks that were handed in come first.

        What is merged is what was there before the checks, which leave things behind.
        """
        self.kept = await self.workspace.keep(ground, self.task.id, self.number)
        summary = self.result.text[-SUMMARY_CHARS:]
        if self.result.subtasks:
            return await self.merged(self.split(summary, place))
        results = await self.check(self.task.checks, place)
        broken = [result for result in results if not result.passed]
        if not broken:
            return await self.merged(self.ending(ev.TaskCompleted, summary=summary, checks=results))
        names = ", ".join(f'"{result.name}"' for result in broken)
        reason = f"check{'s' if len(broken) > 1 else ''} {names} failed"
        return self.ending(ev.TaskFailed, reason=reason, checks=results)

    async def check(self, checks: Iterable[Check], place: process.Place) -> tuple[ev.CheckResult, ...]:
        output = self.logs / f"{self.number}.checks.log"
        return tuple([await run_check(check, place, output) for check in checks])

    async def merged(self, ending: ev.Ending) -> ev.Ending:
        """*ending*, once the work is part of the session's; or why it cannot be."""
        kept, queue = self.kept, self.all.queue
        if not isinstance(ending, ev.TaskCompleted | ev.TaskSplit) or kept is None:
            return ending
        assert queue is not None  # where work is kept there is a queue
        done = await queue.merge(self.task, kept, ending.summary, self.check_merged)
        if isinstance(done, merge.Merged):
            return msgspec.structs.replace(ending, integrated=done.commit if kept.files else "")
        if self.all.state.states[self.task.id].refusals < merge.TRIES:
            return self.ending(ev.TaskRefused, reason=clean(done.reason), detail=clean(done.detail))
        return self.ending(ev.TaskBlocked, reason=clean(done.reason), waits_for="merge")

    async def check_merged(self, commit: str, joined: bool) -> tuple[ev.CheckResult, ...]:
        """What the plan checks of merged work, and where others' is in it, the task's own checks again."""
        checks = (*self.all.state.plan.workspace.checks, *(self.task.checks if joined else ()))
        if not checks or self.all.queue is None:
            return ()
        ground = await self.all.queue.trees.integration(commit)
        place = self.place_on(ground)
        if (failure := await self.furnish(ground, place)) is not None:
            return (ev.CheckResult("workspace.setup", False, output=failure.reason),)
        return await self.check(dict.fromkeys(checks), place)

    def split(self, summary: str, place: process.Place) -> ev.Ending:
        """Accept the subtasks the agent handed in, through the validator that everybody's tasks pass."""

        def is_file(name: str) -> bool:
            """Whether a prompt may quote it."""
            try:
                return replace(place, path=place.root).inside(name).is_file()
            except (process.OutsideWorkspaceError, OSError):
                return False

        patch, faults = subtasks(self.all.state, self.task, self.result.subtasks, is_file)
        if faults:
            told = "; ".join(fault.message for fault in faults)
            return self.failed(f"the agent handed in subtasks that cannot be used: {told}", "task")
        return self.ending(ev.TaskSplit, tasks=patch, summary=summary)

    def failed(self, reason: str, category: ev.Category) -> ev.TaskFailed:
        return self.ending(ev.TaskFailed, reason=clean(reason), category=category)

    def ending(self, kind: type[E], **said: Any) -> E:
        return kind(
            task=self.task.id,
            attempt=self.number,
            seconds=round(time.monotonic() - self.began, 6),
            usage=self.result.usage,
            files=tuple(self.files.values()),
            **said,
        )


def encodable(step: base.Step) -> base.Step:
    """*step*, with all text in it cleaned where some of it cannot be written down."""
    try:
        msgspec.json.encode(step)
    except UnicodeEncodeError:
        return msgspec.convert(_cleaned(msgspec.to_builtins(step)), type(step))
    return step


def clean(text: str) -> str:
    """*text* without halves of surrogate pairs: agents print them, file names hold them, files take none."""
    return text.encode("utf-8", "replace").decode()


def _cleaned(data: Any) -> Any:
    if isinstance(data, str):
        return clean(data)
    if isinstance(data, Mapping):
        return {_cleaned(key): _cleaned(value) for key, value in data.items()}
    return [_cleaned(value) for value in data] if isinstance(data, list | tuple) else data
