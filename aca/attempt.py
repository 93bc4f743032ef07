"""One attempt at one task: place, provider or command, checks, ending.

``Attempts`` is what the loop calls as ``execute``. It decides nothing about the session: it does the work
and says how that ended.
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

from aca import events as ev
from aca import process, prompt
from aca.accounting import Accounting
from aca.checks import run_check, tail
from aca.errors import DISK_ERRORS, MachineError
from aca.limits.gate import Choice, Gate
from aca.patch import subtasks
from aca.plan import Profile, Task, profile
from aca.providers import base
from aca.providers.account import ClosedError
from aca.run import Tell
from aca.session import Session
from aca.state import SessionState
from aca.values import Command, command_text

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
    gate: Gate
    patience: process.Patience = field(default_factory=process.Patience)

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

    def is_file(self, name: str) -> bool:
        """Whether *name* is that of a file in the workspace, which a prompt may quote."""
        top = process.Place(self.workspace, self.workspace, {}, "", self.patience)
        try:
            return top.inside(name).is_file()
        except (process.OutsideWorkspaceError, OSError):
            return False

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
        self.accounting: Accounting
        self.transcript: BinaryIO
        self.began = time.monotonic()
        self.logs = self.all.session.task_logs / self.task.id
        self.profile: Profile = profile(self.all.state.plan, self.task)
        self.files: dict[str, ev.FileChange] = {}
        self.result = base.Result(stop="done")
        self.choice = Choice(self.profile.provider or "", self.profile.model)
        self.limit: asyncio.Timeout | None = None

    async def run(self) -> ev.Ending:
        self.logs.mkdir(exist_ok=True)
        try:
            place = self.open_place()
            failure = await self.work(place)
            return failure or await self.finish(place)
        except asyncio.CancelledError:
            return self.ending(ev.TaskInterrupted, reason="stopped before it was done")
        except process.OutsideWorkspaceError as error:
            return self.failed(str(error), "input")
        except OSError as error:
            if not self.all.blames_plan(error):
                raise
            return self.failed(f"{error.filename}: {error.strerror}", "input")

    def open_place(self) -> process.Place:
        """The directory the task works in, and the environment of everything it starts."""
        mark = f"{self.all.session.id}/{self.task.id}/{self.number}"
        marks = {"ACA_SESSION": self.all.session.id, "ACA_TASK": self.task.id, "ACA_ATTEMPT": mark}
        env = {**self.all.environment, **self.task.env, **marks}
        top = process.Place(self.all.workspace, self.all.workspace, env, mark, self.all.patience)
        place = replace(top, path=top.inside(self.all.state.plan.cwd))
        place.path.mkdir(parents=True, exist_ok=True)
        if self.task.cwd is None:
            return place
        path = place.inside(self.task.cwd)
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "this working directory does not exist", str(path))
        return replace(place, path=path)

    # -- the work -----------------------------------------------------------------------------------

    async def work(self, place: process.Place) -> ev.Ending | None:
        """The task's own work, None when it can be checked now. A group has none of its own."""
        if self.task.id in self.all.state.children:
            return None
        if self.task.kind == "command":
            return await self.work_command(place)
        self.choose()
        provider = self.all.providers.get(self.choice.provider)
        if provider is None:
            return self.failed(f'there is no provider "{self.choice.provider}" in this run', "input")
        try:
            async with asyncio.timeout(self.profile.timeout) as self.limit:
                await self.consult(provider, place)
        except TimeoutError:
            return self.failed(f"timed out after {self.profile.timeout:g} s", "task")
        return self.judge()

    async def work_command(self, place: process.Place) -> ev.Ending | None:
        assert self.task.command is not None  # the plan was validated
        failure = await self.run_command(self.task.command, place)
        if failure is not None and self.task.backup is not None:
            failure = await self.run_command(self.task.backup, place)
        return None if failure is None else self.failed(failure, "task")

    async def run_command(self, command: Command, place: process.Place) -> str | None:
        """Why the command failed, None when it did not."""
        output = self.logs / f"{self.number}.output.log"
        ended = await process.run(command, place, output=output, timeout=self.profile.timeout)
        if ended.exit_code == 0 and not ended.timed_out:
            return None
        why = "timed out" if ended.timed_out else f"exit code {ended.exit_code}"
        return f"{command_text(command)}: {why}\n{tail(output, place, OUTPUT_CHARS)}".rstrip()

    def choose(self) -> None:
        """Who does it: the plan's choice, or a fallback while that takes no calls."""
        self.choice = self.all.gate.choose(self.task)
        if self.choice.instead:
            provider, model = self.choice.provider, self.choice.model
            self.tell(
                ev.TaskFellBack(
                    task=self.task.id,
                    attempt=self.number,
                    provider=provider,
                    model=model,
                    reason=self.choice.instead,
                )
            )

    async def consult(self, provider: base.Provider, place: process.Place) -> None:
        """Hand the task to its provider and keep every step in the transcript."""
        with (self.logs / f"{self.number}.jsonl").open("ab") as self.transcript:
            self.accounting = self.account_with(provider)
            try:
                await self.hear(provider, place)
            except ClosedError as closed:
                self.take(base.Result("quota", reason=closed.reason, until=closed.until), provider.name)
            finally:
                self.accounting.keep()

    async def hear(self, provider: base.Provider, place: process.Place) -> None:
        """What the provider does, step by step."""
        assignment = self.assignment(provider.name)
        async with (
            self.accounting.whole(len(assignment.prompt.encode())),
            aclosing(provider.work(assignment, place)) as steps,  # type: ignore[type-var]
        ):
            async for step in steps:
                self.take(encodable(step), provider.name)

    def account_with(self, provider: base.Provider) -> Accounting:
        keeper, folder = self.all.gate.keepers[provider.name], self.all.session.path / provider.name
        return Accounting(self, provider, keeper, self.task.id, self.choice.model, folder)

    def assignment(self, provider: str) -> base.Assignment:
        state, now = self.all.state, self.all.state.states[self.task.id]
        text = prompt.build(state, self.task, self.all.workspace)
        (self.logs / f"{self.number}.prompt.md").write_text(text, encoding="utf-8")
        interrupted = now.conversation if now.interrupted else None
        return base.Assignment(
            task_id=self.task.id,
            title=self.task.title,
            attempt=self.number,
            prompt=text,
            system_prompt=self.profile.system_prompt,
            model=self.choice.model,
            permissions=self.profile.permissions,
            conversation=interrupted[1] if interrupted and interrupted[0] == provider else None,
            logs=self.logs / str(self.number),
            account=self.accounting.account,
            backoff=self.accounting.backoff,
            options=state.plan.providers.get(provider, {}),
        )

    def take(self, step: base.Step, provider: str) -> None:
        step = self.accounting.note(step)
        self.show(step)
        if isinstance(step, base.Changed):
            self.files[step.change.path] = step.change
        elif isinstance(step, base.Result):
            self.result = step
        elif isinstance(step, base.Conversed):
            known = self.all.state.states[self.task.id].conversation
            if known != (provider, step.conversation):
                self.tell(self.conversation_started(provider, step.conversation))

    def show(self, step: base.Step) -> None:
        """Keep a step in the transcript and let everybody see it."""
        self.transcript.write(msgspec.json.encode(step) + b"\n")
        self.transcript.flush()
        self.all.watch(self.task.id, step)

    def conversation_started(self, provider: str, conversation: str) -> ev.ConversationStarted:
        return ev.ConversationStarted(
            task=self.task.id, attempt=self.number, provider=provider, conversation=conversation
        )

    def judge(self) -> ev.Ending | None:
        """What the provider's own account of its end means; None lets the checks have the last word."""
        result = self.result
        if result.stop == "failed" and result.category == "system":
            self.all.gate.refused(self.choice, result.reason)
        if result.stop == "failed" and result.category == "transient" and (shut := self.accounting.shut()):
            return self.ending(ev.TaskInterrupted, reason=shut.reason, quota=True, until=shut.until)
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

    async def finish(self, place: process.Place) -> ev.Ending:
        """Claimed is not done: the checks decide. Subtasks that were handed in come first."""
        summary = self.result.text[-SUMMARY_CHARS:]
        if self.result.subtasks:
            return self.split(summary)
        output = self.logs / f"{self.number}.checks.log"
        results = tuple([await run_check(check, place, output) for check in self.task.checks])
        broken = [result for result in results if not result.passed]
        if not broken:
            return self.ending(ev.TaskCompleted, summary=summary, checks=results)
        names = ", ".join(f'"{result.name}"' for result in broken)
        reason = f"check{'s' if len(broken) > 1 else ''} {names} failed"
        return self.ending(ev.TaskFailed, reason=reason, checks=results)

    def split(self, summary: str) -> ev.Ending:
        """Accept the subtasks the agent handed in, through the validator that everybody's tasks pass."""
        patch, faults = subtasks(self.all.state, self.task, self.result.subtasks, self.all.is_file)
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
