"""One attempt at one task: its site, an agent or a command, checks, merge, ending.

``Attempts`` is what the loop calls as ``execute``. It decides nothing about the session: it does the work
and says how that ended.
"""

from __future__ import annotations

import asyncio
import errno
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from aca.attempts.consultation import Agents, Consultation
from aca.attempts.site import SetupError, Site, Sites, run_command
from aca.core import events as ev
from aca.core.patch import subtasks
from aca.core.state import SessionState
from aca.errors import MACHINE_ERRORS, MachineError
from aca.plans import output, touches
from aca.plans.task import Task
from aca.plans.values import format_memory
from aca.providers import clean
from aca.providers.budgeted import LEAST_USD
from aca.rules import budget
from aca.rules.remedy import in_pieces
from aca.run import Tell
from aca.safety.place import OutsideWorkspaceError, Patience, Place
from aca.sessions.session import Session
from aca.workspaces import merge
from aca.workspaces.base import TreeError

SUMMARY_CHARS = 2000
"""How much of an agent's last word is kept as the task's result."""

_OF_ONE_FILE = {errno.EACCES, errno.EPERM}
"""Said of one file, which may be the plan's choice, rather than of the disk."""

_UNKEPT = (
    "what was written into the submodule {} is in no commit of it and would be lost: commit and push it "
    "there, or undo it; in a worktree a submodule is empty until workspace.setup fills it"
)

E = TypeVar("E", bound=ev.AttemptEnded)


@dataclass
class Attempts:
    """Everything an attempt needs that is the same for all of a session."""

    agents: Agents
    patience: Patience = field(default_factory=Patience)
    learned: touches.Learned = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sites = Sites(self.session, self.state, self.patience)

    @property
    def session(self) -> Session:
        return self.agents.session

    @property
    def state(self) -> SessionState:
        return self.agents.state

    async def __call__(self, task_id: str, attempt: int, tell: Tell) -> ev.Ending:
        """Do the attempt. Raises MachineError when the disk, not the task, is at fault."""
        try:
            return await _Attempt(self, self.state.tasks[task_id], attempt, tell).run()
        except OSError as error:
            if error.errno in MACHINE_ERRORS:
                raise MachineError(f"{error.filename or self.session.path}: {error.strerror}") from error
            if not self.session.path.exists():
                raise MachineError(f"{self.session.path} is gone: something has removed it") from error
            raise

    def hold(self, task: Task, running: Sequence[Task]) -> float | None:
        """What keeps a ready task back: its provider, or one that runs.

        Tasks that share a conversation take turns, as do those that touch the same files: both at once
        would talk across each other.
        """
        name = self.state.shared_by(task)
        if name is not None and any(self.state.shared_by(other) == name for other in running):
            return math.inf
        apart = touches.hold(task, running, self.learned)
        return self.agents.gate.hold(task) if apart is None else apart

    def blames_plan(self, error: OSError) -> bool:
        """Whether *error* is about a file that the plan names: the disk is sound, and it is none of ours."""
        if not isinstance(error.filename, str) or error.errno in MACHINE_ERRORS - _OF_ONE_FILE:
            return False
        return not Path(error.filename).is_relative_to(self.session.path)


@dataclass
class _Attempt:
    all: Attempts
    task: Task
    number: int
    tell: Tell

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.breaking = self.all.state.states[self.task.id].breaking
        if self.breaking is not None:
            self.task = in_pieces(self.task)
        self.site = Site(self.all.sites, self.task, self.number)
        self.logs, self.profile = self.site.logs, self.site.profile
        self.has_agent = self.task.kind == "agent" and self.task.id not in self.all.state.children
        """Whether an agent does it. A group has no work of its own."""
        self.output: dict[str, Any] | None = None

    @cached_property
    def agent(self) -> Consultation:
        """Who does it, where ``has_agent``."""
        return Consultation(self.all.agents, self.task, self.number, self.tell, self.site)

    @property
    def told(self) -> tuple[ev.FileChange, ...]:
        """What the agent says it has changed."""
        return tuple(self.agent.files.values()) if self.has_agent else ()

    async def run(self) -> ev.Ending:
        """The ending tells what was kept. One that says the work is merged is not waited for any more."""
        self.logs.mkdir(exist_ok=True)
        with self.site.occupied():
            try:
                ending = await self.until_stopped()
                await self.site.leave(self.told)
            finally:
                await self.site.close()
        ending = self.contained(ending)
        if (kept := self.site.kept) is None:
            return ending
        return msgspec.structs.replace(
            ending, commit=kept.commit, base=kept.base, files=kept.files, lost=kept.lost
        )

    async def until_stopped(self) -> ev.Ending:
        try:
            place = await self.site.open()
            failure = await self.work(place)
            return failure or await self.finish(place)
        except asyncio.CancelledError:
            return self.ending(ev.TaskInterrupted, reason="stopped before it was done")
        except OutsideWorkspaceError as error:
            return self.failed(str(error), "input")
        except (SetupError, TreeError) as error:
            return self.failed(str(error), "task")
        except OSError as error:
            if not self.all.blames_plan(error):
                raise
            return self.failed(f"{error.filename}: {error.strerror}", "input")

    # -- the work -----------------------------------------------------------------------------------

    async def work(self, place: Place) -> ev.Ending | None:
        """The task's own work, None when it can be checked now."""
        if self.task.id in self.all.state.children:
            return None
        if refusal := budget.refusal(self.all.state, self.task, time.time()):
            return self.refused(refusal)
        if self.task.kind == "command":
            return await self.work_command(place)
        async with self.site.confined(place) as inside:
            try:
                await self.agent.hold(inside, self.timeout)
            except TimeoutError:
                return self.timed_out()
        return self.breached() or self.judge()

    async def work_command(self, place: Place) -> ev.Ending | None:
        assert self.task.command is not None  # the plan was validated
        printed = self.logs / f"{self.number}.output.log"
        allowed = self.timeout
        failure = await run_command(self.task.command, place, printed, allowed)
        if failure is not None and self.task.backup is not None:
            allowed = max(0.0, min(self.profile.timeout, self.budgeted - self.elapsed))
            failure = await run_command(self.task.backup, place, printed, allowed)
        if failure is None:
            return None
        is_spent = failure.timed_out and allowed < self.profile.timeout
        return self.used_up() if is_spent else self.failed(failure.reason, "task")

    @property
    def elapsed(self) -> float:
        """Seconds of work: what it waited for limits is not counted."""
        waited = self.agent.waited if self.has_agent else 0.0
        return time.monotonic() - self.began - waited

    @cached_property
    def timeout(self) -> float:
        """Seconds for this attempt: its own, or what a budget leaves where that is less."""
        return min(self.profile.timeout, self.budgeted)

    @cached_property
    def budgeted(self) -> float:
        """Seconds that budgets left when it began."""
        state = self.all.state
        return budget.seconds_left(state, self.task, state.at_work[self.task.id])

    def used_up(self) -> ev.TaskFailed:
        spent = f"its time is used up after {self.budgeted:g} s more; raise limits.max_duration"
        return self.failed(spent, "budget")

    def timed_out(self) -> ev.TaskFailed:
        if self.timeout < self.profile.timeout:
            return self.used_up()
        return self.failed(f"timed out after {self.profile.timeout:g} s", "task")

    # -- what the agent's own account of its end means ------------------------------------------------

    def judge(self) -> ev.Ending | None:
        """None lets the checks have the last word."""
        result = self.agent.result
        match result.stop:
            case "failed":
                return self.judge_failure(result.reason or "the provider gave no reason", result.category)
            case "quota":
                return self.ending(ev.TaskInterrupted, reason=result.reason, quota=True, until=result.until)
            case "spent":
                return self.spent(result.reason)
            case "cut_off":
                return self.ending(ev.TaskInterrupted, reason=result.reason)
            case "interrupted":  # but not by us: then nobody would judge it
                return self.failed(result.reason or "the provider was interrupted", "transient")
            case "denied":
                cure = result.reason or 'permissions = "full" would allow it'
                reason = f"the agent was denied {', '.join(result.denied)}: {cure}"
                return self.ending(ev.TaskBlocked, reason=reason, waits_for="permission")
        if (unheard := self.unheard()) or self.task.output_schema is None:
            return unheard
        return self.read_output(self.task.output_schema)

    def breached(self) -> ev.Ending | None:
        """Work that looks done is not, where what is protected was changed for it."""
        if not self.site.breaches or self.agent.result.stop not in ("done", "denied"):
            return None
        what, cure = ", ".join(self.site.breaches), "protect.paths says what is, and takes it out with !"
        return self.failed(f"the agent changed what is protected: {what}; {cure}", "task")

    def judge_failure(self, reason: str, category: ev.Category) -> ev.Ending:
        """A provider that takes no calls now is none of the task's fault."""
        if category == "system":
            self.all.agents.gate.refused(self.agent.choice, reason)
        accounting = self.agent.accounting
        if category == "transient" and accounting is not None and (shut := accounting.shut()):
            return self.ending(ev.TaskInterrupted, reason=shut.reason, quota=True, until=shut.until)
        return self.failed(reason, category)

    def spent(self, reason: str) -> ev.Ending:
        """A call was refused, or an agent used up its part of what is left: then it may get another one."""
        account, used = self.agent.account, self.agent.usage
        refusal = (account and account.refusal) or budget.refusal(self.all.state, self.task, time.time())
        if refusal is not None:
            return self.refused(refusal)
        if used is None or (used.cost_usd or 0.0) < LEAST_USD:
            return self.failed(reason, "budget")  # else this would go on for ever
        return self.ending(ev.TaskInterrupted, reason=reason)

    def refused(self, refusal: budget.Refusal) -> ev.Ending:
        """There is no room: nobody's fault where the session has none, else the end of the task."""
        if refusal.cap.is_whole:
            return self.ending(ev.TaskInterrupted, reason=refusal.reason, spent=True)
        return self.failed(refusal.reason, "budget")

    def unheard(self) -> ev.Ending | None:
        """A task is not done while something was said that its agent has not heard: it goes on with that."""
        if not (self.has_agent and self.agent.remarks.waiting):
            return None
        return self.ending(ev.TaskInterrupted, reason="a person has said something; it goes on with that")

    def read_output(self, schema: Mapping[str, Any]) -> ev.Ending | None:
        """Take the output that was asked for, from the provider or out of the agent's last word."""
        result = self.agent.result
        if result.subtasks and self.breaking is not None:
            return None  # by a tool: as good
        if result.subtasks:
            return self.failed("it was split, and a task with output_schema gives its output itself", "task")
        given = clean.data(output.found(result.text)) if result.output is None else result.output
        if why := output.wrong(given, schema):
            return self.failed(f"the output does not fit output_schema: {why}", "task")
        self.output = given
        return None

    # -- the ending ---------------------------------------------------------------------------------

    async def finish(self, place: Place) -> ev.Ending:
        """Claimed is not done: the checks decide. Subtasks that were handed in come first.

        What is merged is what was there before the checks, which leave things behind.
        """
        await self.site.keep(self.told)
        if self.site.kept is not None and self.site.kept.unkept:
            return self.failed(_UNKEPT.format(self.site.kept.unkept), "task")
        said = self.agent.result if self.has_agent else None
        summary = said.text[-SUMMARY_CHARS:] if said else ""
        if self.breaking is not None or (said and said.subtasks):
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
        is_split = isinstance(ending, ev.TaskSplit)
        await self.site.close()  # nothing is to be awaited after the merge
        done = await self.site.merge(ending.summary, lambda: is_split or self.unheard() is None)
        if done is None:
            return self.unheard() or self.ending(ev.TaskInterrupted, reason="it was not over")
        if isinstance(done, merge.Merged):
            return msgspec.structs.replace(ending, integrated=done.commit)
        reason = clean.text(done.reason)
        if self.all.state.states[self.task.id].refusals < merge.TRIES:
            return self.ending(ev.TaskRefused, reason=reason, detail=clean.text(done.detail))
        return self.ending(ev.TaskBlocked, reason=reason, waits_for="merge")

    def contained(self, ending: ev.Ending) -> ev.Ending:
        """*ending* with what its container used, which may be why it failed."""
        used, container = self.site.used, self.profile.docker
        if used is None:
            return ending
        if isinstance(ending, ev.TaskFailed) and used.oom_kills:
            limit = container.memory_limit if container else None
            of = f": limit {format_memory(limit)}" if limit else ""
            ending = msgspec.structs.replace(ending, reason=f"out of memory{of}\n{ending.reason}")
        return msgspec.structs.replace(ending, container=used)

    def split(self, summary: str, place: Place) -> ev.Ending:
        """Accept the subtasks the agent handed in, through the validator that everybody's tasks pass."""
        top, given = replace(place, path=place.root), self.agent.result.subtasks
        given = given or tuple((self.output or {}).get("tasks", ()))
        cause = self.breaking.seq if self.breaking else 0
        patch, faults = subtasks(self.all.state, self.task, given, top.has_file)
        if faults:
            told = "; ".join(fault.message for fault in faults)
            return self.failed(f"the agent handed in subtasks that cannot be used: {told}", "task")
        return self.ending(ev.TaskSplit, tasks=patch, summary=summary, cause=cause)

    def failed(self, reason: str, category: ev.Category) -> ev.TaskFailed:
        return self.ending(ev.TaskFailed, reason=clean.text(reason), category=category)

    def ending(self, kind: type[E], **said: Any) -> E:
        return kind(
            task=self.task.id,
            attempt=self.number,
            seconds=round(self.elapsed, 6),
            usage=self.agent.usage if self.has_agent else None,
            files=self.told,
            **said,
        )
