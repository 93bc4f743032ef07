"""What passes between an attempt and the agent that makes it: who that is, what it is told, what it tells."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import msgspec
from msgspec.structs import replace

from aca.attempts import last_word, prompt
from aca.attempts.accounting import Accounting
from aca.attempts.recap import GREW, REBUILDS, Recap
from aca.attempts.remarks import Arrivals, Remarks
from aca.attempts.site import Site
from aca.core import events as ev
from aca.core import patch
from aca.core.progress import Shared
from aca.core.spent import add_usage
from aca.core.state import SessionState
from aca.limits.gate import Choice, Gate
from aca.plans.plan import REPLAY
from aca.plans.task import Task
from aca.providers import base, clean, model_of, prices
from aca.providers.about import about
from aca.providers.account import ClosedError, SpentError
from aca.providers.budgeted import Budgeted, Purse
from aca.rules import budget
from aca.run import Tell
from aca.safety.place import Place
from aca.sessions.session import Session

Watch = Callable[[str, base.Step], None]
"""Told every step of every attempt as it happens; decides nothing."""


@dataclass
class Agents:
    """Who can make the attempts of a session, and what all consultations have in common."""

    session: Session
    state: SessionState
    providers: Mapping[str, base.Provider]
    watch: Watch
    gate: Gate
    arrivals: Arrivals = field(default_factory=Arrivals)

    def __post_init__(self) -> None:
        plan = self.state.plan
        at_once = 1 if plan.execution_mode == "sequential" else plan.max_concurrent_tasks
        self.purse = Purse(self.state, at_once)


class Consultation:
    """Attempt *number* at *task*, made by an agent. ``result`` and ``files`` are what it has told by now."""

    def __init__(self, agents: Agents, task: Task, number: int, tell: Tell, site: Site) -> None:
        self.all, self.task, self.number, self.tell, self.site = agents, task, number, tell, site
        self.logs, self.profile = site.logs, site.profile
        self.choice = Choice(self.profile.provider or "", self.profile.model)
        self.remarks = Remarks(agents.state, task, number, tell, agents.arrivals)
        self.recap = Recap()
        self.result = base.Result(stop="done")
        self.files: dict[str, ev.FileChange] = {}
        self.limit: asyncio.Timeout | None = None
        self.accounting: Accounting | None = None
        self.transcript: BinaryIO
        self.top: Place

    @property
    def account(self) -> Budgeted | None:
        """Whose budget it keeps to, where it calls a model."""
        return self.accounting.budgeted if self.accounting else None

    @property
    def usage(self) -> ev.Usage | None:
        """What all of its calls used, as they were counted, or what the provider told."""
        return self.account.used if self.account else self.result.usage

    @property
    def waited(self) -> float:
        """Seconds in which its time limit stood still."""
        return self.accounting.waited if self.accounting else 0.0

    async def hold(self, place: Place, timeout: float) -> None:
        """Let the agent work in *place*. Raises TimeoutError after so many seconds, waiting not counted."""
        self.top = place if place.path == place.root else replace(place, path=place.root)
        self._choose()
        if refusal := self.all.gate.refusal(self.task):
            self.result = base.Result("failed", reason=refusal, category="system")
            return
        provider = self.all.providers.get(self.choice.provider)
        if provider is None:
            reason = f'there is no provider "{self.choice.provider}" in this run'
            self.result = base.Result("failed", reason=reason, category="input")
            return
        async with asyncio.timeout(timeout) as self.limit:
            await self._consult(provider, place)

    def _choose(self) -> None:
        """The plan's choice, or a fallback while that takes no calls."""
        self.choice = self.all.gate.choose(self.task)
        if self.choice.instead:
            self.tell(
                ev.TaskFellBack(
                    task=self.task.id,
                    attempt=self.number,
                    provider=self.choice.provider,
                    model=self.choice.model,
                    reason=self.choice.instead,
                )
            )

    async def _consult(self, provider: base.Provider, place: Place) -> None:
        """Hand the task over, unless no call of a model may be made for it."""
        self.accounting = self._account_with(provider)
        with open(f"{self.logs}/{self.number}.jsonl", "ab") as self.transcript:
            try:
                await self._talk(provider, place)
            except SpentError as spent:
                self.result = base.Result("spent", reason=str(spent))
            except ClosedError as closed:
                self._take(base.Result("quota", reason=closed.reason, until=closed.until), provider.name)
            finally:
                self.accounting.keep()

    def _account_with(self, provider: base.Provider) -> Accounting:
        """Whose limits and money the calls count against."""
        plan, name = self.all.state.plan, provider.name
        accounting = Accounting(
            self, provider, self.all.gate.keepers[name], self.task.id, self.choice.model,
            self.all.session.path / name,
        )  # fmt: skip
        if name != REPLAY:
            given = plan.providers.get(name, {})
            model = model_of(name, given, self.choice.model)
            tariff = prices.tariff(plan, name, model)
            accounting.budgeted = Budgeted(
                self.all.purse, self.task, self.number, tariff, accounting.limited, self.tell,
                asks=provider.asks, tells_cost=about(name, given).can.cost or tariff.is_known,
                off_the_clock=accounting.off_the_clock,
            )  # fmt: skip
        return accounting

    # -- talking ------------------------------------------------------------------------------------

    async def _talk(self, provider: base.Provider, place: Place) -> None:
        """Let the agent work, and once more with a recap when the conversation grew too long."""
        assignment = self._assignment(provider.name, place)
        await self._converse(provider, assignment, place)
        for rebuilt in range(REBUILDS):
            is_old = assignment.conversation is not None and not rebuilt
            if not (self.result.overflowed and (is_old or self.recap.uses > self.recap.told)):
                return
            self.show(base.Said(GREW))
            anew, before = self._assignment(provider.name, place), self.result.usage
            text = self.recap.prompt(anew.prompt)
            self._write_prompt(f"{self.number}.prompt-{rebuilt + 2}.md", text)
            anew = replace(anew, prompt=text, conversation=None, interrupted=False)
            await self._converse(provider, anew, place)
            self.result = msgspec.structs.replace(self.result, usage=_together(before, self.result.usage))

    async def _converse(self, provider: base.Provider, assignment: base.Assignment, place: Place) -> None:
        """One conversation. Of an agent that does not ask before its calls it is one call, whole."""
        assert self.accounting is not None
        async with self.accounting.whole(len(assignment.prompt.encode())):
            allowed = self.account.allowed_usd if self.account and not provider.asks else None
            try:
                if allowed is not None:
                    assignment = replace(assignment, allowed_usd=allowed)
                told = provider.work(assignment, place)
                async with aclosing(told) as steps:  # type: ignore[type-var]
                    async for step in steps:
                        step, line = clean.writable(step)
                        self._take(step, provider.name, line)
                        self.recap.note(step)
            finally:
                clean.strike_out_of_all(assignment.logs)

    # -- what it is told ----------------------------------------------------------------------------

    def _assignment(self, provider: str, place: Place) -> base.Assignment:
        assert self.accounting is not None
        state, conflicts = self.all.state, self.site.conflicts
        workspace = self.all.session.workspace
        told = prompt.parts(
            state, self.task, place.root, workspace, conflicts=conflicts, by_tools=self._has_tools(provider)
        )
        text = prompt.joined(told)
        self._write_prompt(f"{self.number}.prompt.md", text)
        for message in self.remarks.waiting:  # they are in it
            self.remarks.deliver(message)
        conversation, interrupted, before = self._continued(provider)
        outlook = budget.outlook(state, self.task)
        return base.Assignment(
            task_id=self.task.id,
            title=self.task.title,
            attempt=self.number,
            prompt=text,
            system_prompt="\n\n".join(filter(None, (self.profile.system_prompt, outlook))),
            model=self.choice.model,
            permissions=self.profile.permissions,
            trusts_project=state.plan.trust_project_config,
            conversation=conversation,
            interrupted=interrupted,
            follow_up=prompt.refusal(state, self.task, conflicts) or prompt.follow_up(told, before),
            home=self.accounting.folder,
            logs=self.logs / str(self.number),
            account=self.accounting.account,
            so_far=self.accounting.so_far,
            backoff=self.accounting.backoff,
            messages=self.remarks,
            options=state.plan.providers.get(provider, {}),
            output_schema=self.task.output_schema,
            workspace=workspace,
        )

    def _has_tools(self, provider: str) -> bool:
        given = self.all.state.plan.providers.get(provider, {})
        return about(provider, given).can.tools

    def _continued(self, provider: str) -> tuple[str | None, bool, str]:
        """The conversation to go on with, whether it was cut off at this task, and what was said before it.

        It goes on only with the provider that it began with.
        """
        state, now = self.all.state, self.all.state.states[self.task.id]
        if (now.interrupted or now.refusal) and now.conversation and now.conversation[0] == provider:
            return now.conversation[1], now.interrupted, ""
        shared = state.shared.get(state.shared_by(self.task) or "")
        if shared is None or shared.provider != provider:
            return None, False, ""
        return shared.conversation, False, self._told(shared)

    def _told(self, shared: Shared) -> str:
        """All that the tasks which share the conversation have been told in it."""
        logs = self.all.session.task_logs
        paths = [logs / task / f"{attempt}.prompt.md" for task, attempt in shared.told]
        return "".join(path.read_text(encoding="utf-8") for path in paths if path.exists())

    def _write_prompt(self, name: str, text: str) -> None:
        with open(f"{self.logs}/{name}", "wb") as file:
            file.write(text.encode())

    # -- what it tells ------------------------------------------------------------------------------

    def _take(self, told: base.Step, provider: str, line: bytes | None = None) -> None:
        assert self.accounting is not None
        step = self.accounting.note(_believed(told) if isinstance(told, base.Result) else told)
        self.show(step, line if step is told else None)
        match step:
            case base.Changed(change):
                self.files[change.path] = change
            case base.Result():
                self.result = self._read(step)
            case base.Conversed(conversation):
                self._note_conversation(provider, conversation)
            case base.Noted(text):
                self._note(text)
            case base.Proposed(task):
                self._propose(task)

    def _read(self, result: base.Result) -> base.Result:
        """*result*, with what its last word hands in taken out of that."""
        if result.stop != "done" or self.task.output_schema is not None:
            return result
        said = last_word.read(result.text)
        if said.wrong:
            why = f"the block at the end of the agent's last word cannot be used: {said.wrong}"
            return msgspec.structs.replace(result, stop="failed", reason=why, text=said.text)
        for note in said.notes:
            self._note(note)
        for task in said.proposals:
            self._propose(task)
        return msgspec.structs.replace(result, text=said.text, subtasks=(*result.subtasks, *said.subtasks))

    def _note(self, text: str) -> None:
        self.tell(ev.NoteLeft(task=self.task.id, attempt=self.number, text=text))

    def _propose(self, given: object) -> None:
        """Let a person decide on it. What cannot be a task is kept as a note, for it may be worth reading."""
        task, faults = patch.proposal(self.all.state, self.task, given, self.top.has_file)
        if faults:
            why = "; ".join(fault.message for fault in faults)
            self._note(f"proposed, but it cannot be a task ({why}): {json.dumps(given, ensure_ascii=False)}")
        elif task is not None:
            self.tell(ev.TaskProposed(task=self.task.id, attempt=self.number, proposal=task))

    def _note_conversation(self, provider: str, conversation: str) -> None:
        if self.all.state.states[self.task.id].conversation == (provider, conversation):
            return
        known: dict[str, Any] = {"provider": provider, "conversation": conversation}
        self.tell(ev.ConversationStarted(task=self.task.id, attempt=self.number, **known))

    def show(self, step: base.Step, line: bytes | None = None) -> None:
        """Keep a step in the transcript, as *line* where that is known, and let everybody see it."""
        self.transcript.write((line or msgspec.json.encode(step)) + b"\n")
        self.transcript.flush()
        self.all.watch(self.task.id, step)


def _together(before: ev.Usage | None, more: ev.Usage | None) -> ev.Usage | None:
    """What two conversations used; where one of them did not tell, nobody knows what both cost."""
    known = [usage for usage in (before, more) if usage is not None]
    if len(known) == 2:
        return add_usage(*known)
    return msgspec.structs.replace(known[0], cost_usd=None) if known else None


def _believed(result: base.Result) -> base.Result:
    """*result*, what it used being unknown where it claims to have worked without a single token."""
    is_free = result.usage is not None and result.usage.tokens == 0 and not result.usage.cost_usd
    if is_free and result.stop in ("done", "denied"):
        return msgspec.structs.replace(result, usage=None)
    return result
