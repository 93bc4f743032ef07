"""One attempt at one task: place, provider or command, checks, merge, ending.

``Attempts`` is what the loop calls as ``execute``. It decides nothing about the session: it does the work
and says how that ended.
"""

from __future__ import annotations

import asyncio
import errno
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

from aca import events as ev
from aca import journal, merge, output, process, prompt, secrets, touches
from aca.errors import DISK_ERRORS, MachineError
from aca.patch import subtasks
from aca.plan import Profile, Task, profile
from aca.providers import base
from aca.recap import GREW, REBUILDS, Recap
from aca.remarks import Arrivals, Remarks
from aca.run import Tell
from aca.session import Session
from aca.site import SetupError, Site, Sites, run_command
from aca.state import SessionState, Shared, add_usage
from aca.workspaces.base import TreeError

SUMMARY_CHARS = 2000
"""How much of an agent's last word is kept as the task's result."""

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
    arrivals: Arrivals = field(default_factory=Arrivals)

    def __post_init__(self) -> None:
        self.sites = Sites(self.session, self.state, self.patience)

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

    def hold(self, task: Task, running: Sequence[Task]) -> float | None:
        """Tasks that touch the same files take turns, and those that share a conversation.

        Both at once would talk across each other.
        """
        name = self.state.shared_by(task)
        if name is not None and any(self.state.shared_by(other) == name for other in running):
            return math.inf
        return touches.hold(task, running)

    def blames_plan(self, error: OSError) -> bool:
        """Whether *error* is about a file that the plan names: the disk is sound, and it is none of ours."""
        if not isinstance(error.filename, str) or error.errno in DISK_ERRORS - _OF_ONE_FILE:
            return False
        return not Path(error.filename).is_relative_to(self.session.path)

    @cached_property
    def workspace(self) -> Path:
        return self.session.workspace


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
        self.remarks = Remarks(self.all.state, self.task, self.number, self.tell, self.all.arrivals)
        self.output: dict[str, Any] | None = None
        self.recap = Recap()
        self.site = Site(self.all.sites, self.task, self.number)

    async def run(self) -> ev.Ending:
        """The ending tells what was kept. One that says the work is merged is not waited for any more."""
        self.logs.mkdir(exist_ok=True)
        with self.site.occupied():
            ending = await self.until_stopped()
            await self.site.leave()
        if (kept := self.site.kept) is None:
            return ending
        return msgspec.structs.replace(ending, commit=kept.commit, base=kept.base, files=kept.files)

    async def until_stopped(self) -> ev.Ending:
        try:
            place = await self.site.open()
            failure = await self.work(place)
            return failure or await self.finish(place)
        except asyncio.CancelledError:
            return self.ending(ev.TaskInterrupted, reason="stopped before it was done")
        except process.OutsideWorkspaceError as error:
            return self.failed(str(error), "input")
        except (SetupError, TreeError) as error:
            return self.failed(str(error), "task")
        except OSError as error:
            if not self.all.blames_plan(error):
                raise
            return self.failed(f"{error.filename}: {error.strerror}", "input")

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
        printed, timeout = self.logs / f"{self.number}.output.log", self.profile.timeout
        failure = await run_command(self.task.command, place, printed, timeout)
        if failure is not None and self.task.backup is not None:
            failure = await run_command(self.task.backup, place, printed, timeout)
        return None if failure is None else self.failed(failure, "task")

    async def consult(self, provider: base.Provider, place: process.Place) -> None:
        """Hand the task to its provider, and again with a recap when the conversation grew too long."""
        assignment = self.assignment(provider.name, place.root)
        with (self.logs / f"{self.number}.jsonl").open("ab") as transcript:
            await self.converse(provider, assignment, place, transcript)
            for rebuilt in range(REBUILDS):
                is_old = assignment.conversation is not None and not rebuilt
                if not (self.result.overflowed and (is_old or self.recap.uses > self.recap.told)):
                    return
                self.take(base.Said(GREW), provider.name, transcript)
                text = self.recap.prompt(assignment.prompt)
                self.write_prompt(f"{self.number}.prompt-{rebuilt + 2}.md", text)
                again, before = replace(assignment, prompt=text, conversation=None), self.result.usage
                await self.converse(provider, again, place, transcript)
                usage = together(before, self.result.usage)
                self.result = msgspec.structs.replace(self.result, usage=usage)

    async def converse(
        self, provider: base.Provider, assignment: base.Assignment, place: process.Place, transcript: BinaryIO
    ) -> None:
        """One conversation; every step of it is kept in the transcript."""
        try:
            async with aclosing(provider.work(assignment, place)) as steps:  # type: ignore[type-var]
                async for step in steps:
                    self.take(clear := without_keys(encodable(step)), provider.name, transcript)
                    self.recap.note(clear)
        finally:
            strike_out_of_all(assignment.logs)

    def assignment(self, provider: str, root: Path) -> base.Assignment:
        conflicts = self.site.conflicts
        told = prompt.parts(self.all.state, self.task, root, self.all.workspace, conflicts=conflicts)
        text = prompt.joined(told)
        self.write_prompt(f"{self.number}.prompt.md", text)
        for message in self.remarks.waiting:  # they are in it
            self.remarks.deliver(message)
        conversation, interrupted, before = self.continued(provider)
        return base.Assignment(
            task_id=self.task.id,
            title=self.task.title,
            attempt=self.number,
            prompt=text,
            system_prompt=self.profile.system_prompt,
            model=self.profile.model,
            permissions=self.profile.permissions,
            conversation=conversation,
            interrupted=interrupted,
            follow_up=prompt.refusal(self.all.state, self.task, conflicts) or prompt.follow_up(told, before),
            home=self.all.session.path / provider,
            logs=self.logs / str(self.number),
            messages=self.remarks,
            options=self.all.state.plan.providers.get(provider, {}),
            output_schema=self.task.output_schema,
            workspace=self.all.workspace,
        )

    def continued(self, provider: str) -> tuple[str | None, bool, str]:
        """The conversation to go on with, whether it was cut off at this task, and what was said before it.

        It goes on only with the provider that it began with.
        """
        state, now = self.all.state, self.all.state.states[self.task.id]
        if now.interrupted and now.conversation and now.conversation[0] == provider:
            return now.conversation[1], True, ""
        if now.refusal and now.conversation and now.conversation[0] == provider:
            return now.conversation[1], False, ""
        shared = state.shared.get(state.shared_by(self.task) or "")
        if shared is None or shared.provider != provider:
            return None, False, ""
        return shared.conversation, False, self.told(shared)

    def told(self, shared: Shared) -> str:
        """All that the tasks which share the conversation have been told in it."""
        logs = self.all.session.task_logs
        paths = [logs / task / f"{attempt}.prompt.md" for task, attempt in shared.told]
        return "".join(path.read_text(encoding="utf-8") for path in paths if path.exists())

    def write_prompt(self, name: str, text: str) -> None:
        (self.logs / name).write_text(text, encoding="utf-8")

    def take(self, step: base.Step, provider: str, transcript: BinaryIO) -> None:
        transcript.write(msgspec.json.encode(step) + b"\n")
        transcript.flush()
        if isinstance(step, base.Changed):
            self.files[step.change.path] = step.change
        elif isinstance(step, base.Result):
            self.result = believed(step)
        elif isinstance(step, base.Conversed):
            known = self.all.state.states[self.task.id].conversation
            if known != (provider, step.conversation):
                self.tell(self.conversation_started(provider, step.conversation))
        elif isinstance(step, base.Noted):
            self.tell(ev.NoteLeft(task=self.task.id, attempt=self.number, text=step.text))
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
        if result.stop == "cut_off":
            return self.ending(ev.TaskInterrupted, reason=result.reason)
        if result.stop == "interrupted":  # but not by us: then nobody would judge it
            return self.failed(result.reason or "the provider was interrupted", "transient")
        if result.stop == "denied":
            tools = ", ".join(result.denied)
            cure = result.reason or 'permissions = "full" would allow it'
            reason = f"the agent was denied {tools}: {cure}"
            return self.ending(ev.TaskBlocked, reason=reason, waits_for="permission")
        if (unheard := self.unheard()) is not None:
            return unheard
        return None if self.task.output_schema is None else self.read_output(self.task.output_schema)

    def unheard(self) -> ev.Ending | None:
        """A task is not done while something was said that its agent has not heard: it goes on with that."""
        if self.task.kind != "agent" or self.task.id in self.all.state.children or not self.remarks.waiting:
            return None
        return self.ending(ev.TaskInterrupted, reason="a person has said something; it goes on with that")

    def read_output(self, schema: Mapping[str, Any]) -> ev.Ending | None:
        """Take the output that was asked for, from the provider or out of the agent's last word."""
        if self.result.subtasks:
            return self.failed("it was split, and a task with output_schema gives its output itself", "task")
        given = self.result.output
        given = _cleaned(output.found(self.result.text)) if given is None else given
        if why := output.wrong(given, schema):
            return self.failed(f"the output does not fit output_schema: {why}", "task")
        self.output = given
        return None

    # -- the ending ---------------------------------------------------------------------------------

    async def finish(self, place: process.Place) -> ev.Ending:
        """Claimed is not done: the checks decide. Subtasks that were handed in come first.

        What is merged is what was there before the checks, which leave things behind.
        """
        await self.site.keep()
        summary = self.result.text[-SUMMARY_CHARS:]
        if self.result.subtasks:
            return await self.merged(self.split(summary, place))
        results = await self.site.check(self.task.checks, place)
        broken = [result for result in results if not result.passed]
        if not broken:
            done = self.ending(ev.TaskCompleted, summary=summary, checks=results, output=self.output)
            return self.unheard() or await self.merged(done)
        names = ", ".join(f'"{result.name}"' for result in broken)
        reason = f"check{'s' if len(broken) > 1 else ''} {names} failed"
        return self.ending(ev.TaskFailed, reason=reason, checks=results)

    async def merged(self, ending: ev.Ending) -> ev.Ending:
        """*ending*, once the work is part of the session's; or why it cannot be."""
        if not isinstance(ending, ev.TaskCompleted | ev.TaskSplit):
            return ending
        done = await self.site.merge(ending.summary)
        if isinstance(done, merge.Merged):
            return msgspec.structs.replace(ending, integrated=done.commit)
        if self.all.state.states[self.task.id].refusals < merge.TRIES:
            return self.ending(ev.TaskRefused, reason=clean(done.reason), detail=clean(done.detail))
        return self.ending(ev.TaskBlocked, reason=clean(done.reason), waits_for="merge")

    def split(self, summary: str, place: process.Place) -> ev.Ending:
        """Accept the subtasks the agent handed in, through the validator that everybody's tasks pass."""
        top = replace(place, path=place.root)
        patch, faults = subtasks(self.all.state, self.task, self.result.subtasks, top.has_file)
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


def believed(result: base.Result) -> base.Result:
    """*result*, what it used being unknown where it claims to have worked without a single token."""
    is_free = result.usage is not None and result.usage.tokens == 0 and not result.usage.cost_usd
    if is_free and result.stop in ("done", "denied"):
        return msgspec.structs.replace(result, usage=None)
    return result


def together(before: ev.Usage | None, more: ev.Usage | None) -> ev.Usage | None:
    """What two conversations used; where one of them did not tell, nobody knows what both cost."""
    known = [usage for usage in (before, more) if usage is not None]
    if len(known) == 2:
        return add_usage(*known)
    return msgspec.structs.replace(known[0], cost_usd=None) if known else None


def encodable(step: base.Step) -> base.Step:
    """*step*, with all text in it cleaned where some of it cannot be written down."""
    try:
        msgspec.json.encode(step)
    except UnicodeEncodeError:
        return msgspec.convert(_cleaned(msgspec.to_builtins(step)), type(step))
    return step


def without_keys(step: base.Step) -> base.Step:
    """*step* with our keys struck out: agents that have them may tell them."""
    told = msgspec.json.encode(step).decode()
    if (struck := secrets.struck_out(told)) == told:
        return step
    return msgspec.json.decode(struck, type=type(step))


def strike_out_of_all(logs: Path) -> None:
    """The same for what a program has printed, which was kept as it came."""
    for path in logs.rglob("*"):
        if path.is_file():
            secrets.strike_out_of(path)


def clean(text: str) -> str:
    """*text* without halves of surrogate pairs: agents print them, file names hold them, files take none."""
    return text.encode("utf-8", "replace").decode()


def _cleaned(data: Any) -> Any:
    if isinstance(data, str):
        return clean(data)
    if isinstance(data, Mapping):
        return {_cleaned(key): _cleaned(value) for key, value in data.items()}
    return [_cleaned(value) for value in data] if isinstance(data, list | tuple) else data
