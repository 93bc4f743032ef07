"""One question to a provider, outside of any run: within the plan's limits, and with nothing left behind.

It is one attempt at one task of a session of its own, which lies among the user's caches and is gone when it
is answered. So rates, quota windows and budgets hold as they do for all that agents do, and what a killed
aca has left running is known by its session's name and ended by the next one that plans.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from aca import limits, parse, providers
from aca.attempts.consultation import Agents, Consultation
from aca.attempts.site import Site, Sites
from aca.core import events as ev
from aca.core.charges import Book, as_planning
from aca.core.spent import money
from aca.errors import Exit, InputError, MachineError, PlanningError, Problem
from aca.limits.gate import Gate
from aca.planner import draft
from aca.planner.cache import own
from aca.plans import output
from aca.plans.plan import Plan
from aca.plans.provenance import PlanningCall
from aca.processes import process
from aca.processes.interruption import Interruption, heeded
from aca.providers import base
from aca.safety.place import Patience
from aca.sessions import session
from aca.sessions.session import Session
from aca.workspaces.base import Ground

T = TypeVar("T")
Accept = Callable[[dict[str, Any]], T]
"""Makes something of an answer. Raises InputError with all that is wrong with it."""


class Answer(msgspec.Struct, Generic[T], frozen=True):
    """What came of an answer, the answer itself, and the calls it took."""

    made: T
    given: dict[str, Any]
    calls: tuple[PlanningCall, ...]


class UnusableError(InputError):
    """An answer that no plan can be made of. ``is_final``: the model knew why, and did no better."""

    def __init__(
        self,
        problems: Iterable[Problem],
        given: dict[str, Any] | None,
        result: base.Result,
        *,
        is_final: bool = False,
    ) -> None:
        super().__init__(problems)
        self.given, self.result, self.is_final = given, result, is_final

    @property
    def text(self) -> str:
        """The answer, as far as there was one."""
        if self.given is not None:
            return json.dumps(self.given, indent=1, ensure_ascii=False)
        return self.result.text or self.result.reason

    @property
    def lesson(self) -> str:
        """What is wrong with the answer, and the answer, for whoever is to mend it."""
        wrong = "\n".join(f"- {problem.message} {problem.cure}".rstrip() for problem in self.problems)
        told = f"Your answer cannot be used:\n\n{wrong}"
        if self.given is None:
            return told
        return f"{told}\n\nThis was the answer. Give all of it again, mended:\n\n{self.text}"


def ask(plan: Plan, home: Path, accept: Accept[T], notice: Callable[[str], None]) -> Answer[T]:
    """Let the only task of *plan* be done, whose output *accept* makes something of.

    Raises UnusableError when nothing could be made of the answer, nor of the one that was to mend it, and
    PlanningError when there was no answer. Whatever happens, no child process is left when this returns.
    """
    process.become_subreaper()
    with _one_session(_usable(home), plan) as one:
        asking = _Asking(one, plan, notice)
        try:
            return process.in_loop(lambda: asking.until_answered(accept))
        except (InputError, PlanningError):
            asking.tell_what_is_lost()
            raise
        finally:
            process.end_everything()


def _usable(home: Path) -> Path:
    """*home*, where question and answer are written down. Raises MachineError where that cannot be."""
    try:
        return own(home)
    except OSError as error:
        cure = "XDG_CACHE_HOME may name another directory"
        raise MachineError(f"a planner needs {home}: {error.strerror or error}\n   {cure}") from None


@contextmanager
def _one_session(home: Path, plan: Plan) -> Iterator[Session]:
    """A session for as long as it is asked, after those of killed acas are cleaned up."""
    with (home / "turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # one that is made and not locked yet would look like a dead one
        _clean_up(home)
        one = session.create(home, parse.dump_text(plan, "json"))
        lock = one.lock().__enter__()
    try:
        yield one
    finally:
        shutil.rmtree(one.path, ignore_errors=True)
        lock.__exit__()


def _clean_up(home: Path) -> None:
    dead = [one for one in session.listing(home) if not one.is_running()]
    process.end_orphans([one.id for one in dead])
    for one in dead:
        shutil.rmtree(one.path, ignore_errors=True)


class _Asking:
    def __init__(self, one: Session, plan: Plan, notice: Callable[[str], None]) -> None:
        self.session, self.plan, self.notice = one, plan, notice
        [self.task] = plan.tasks
        self.state = Book(plan)
        self.state.session = one.id
        self.patience = Patience(interrupt=2.0, terminate=2.0)
        names = [name for name in (plan.defaults.provider, *_fallbacks(plan)) if name]
        known = {name: providers.get(name, plan.providers.get(name, {})) for name in names}
        gate = Gate(plan, limits.keepers(plan, known, os.environ))
        self.agents = Agents(one, self.state, known, self.watch, gate)

    def watch(self, _task: str, step: base.Step) -> None:
        if isinstance(step, base.Waiting):
            self.notice(f"planning waits: {step.reason}")

    def tell(self, event: ev.Event) -> None:
        self.state.apply(msgspec.structs.replace(event, seq=self.state.seq + 1, at=time.time()))

    async def until_answered(self, accept: Accept[T]) -> Answer[T]:
        """Ask; where the answer cannot be used, say why and ask once more."""
        with _interruptible(self.patience):
            try:
                return await self.answer(1, accept)
            except UnusableError as error:
                if error.is_final:
                    raise
            self.notice("the plan that came cannot be used: asking once more")
            return await self.answer(2, accept)

    async def answer(self, number: int, accept: Accept[T]) -> Answer[T]:
        """What comes of attempt *number*, noted however it ends. Raises UnusableError, PlanningError."""
        try:
            return await self.usable(number, accept)
        except UnusableError as error:
            self.fail(number, error)
            raise

    async def usable(self, number: int, accept: Accept[T]) -> Answer[T]:
        result, was_corrected = await self.result(number)
        given = draft.completed(result.output or output.found(result.text))
        if why := self.unfit(given, result):
            raise UnusableError([Problem(why)], given, result, is_final=was_corrected)
        assert given is not None  # which would not fit
        try:
            made = accept(given)
        except InputError as error:
            raise UnusableError(error.problems, given, result) from None
        except PlanningError:  # that there is nothing to do is an answer, and paid for
            self.complete(number, result)
            raise
        self.complete(number, result)
        return Answer(made, given, as_planning(self.state.charges))

    async def result(self, number: int) -> tuple[base.Result, bool]:
        """How attempt *number* ended, where something was answered; and whether the model was told by its
        provider already what does not fit the schema. Raises PlanningError where nothing was."""
        self.tell(ev.TaskStarted(task=self.task.id, attempt=number))
        site = Site(Sites(self.session, self.state, self.patience), self.task, number)
        folder = self.session.path / "place"
        folder.mkdir(exist_ok=True)
        site.ground = Ground(folder, folder)
        (self.session.task_logs / self.task.id).mkdir(exist_ok=True)
        agent = Consultation(self.agents, self.task, number, self.tell, site)
        try:
            async with site.confined(site.place_on(site.ground)) as place:
                await agent.hold(place, self.plan.defaults.timeout)
        except TimeoutError:
            raise PlanningError(
                f"no plan came within {self.plan.defaults.timeout:g} s (--timeout)", Exit.LIMIT
            ) from None
        was_corrected = self.agents.providers[agent.choice.provider].asks
        return _answered(msgspec.structs.replace(agent.result, usage=agent.usage)), was_corrected

    def unfit(self, given: dict[str, Any] | None, result: base.Result) -> str:
        """Why *given* is not in the schema; empty where it is."""
        if given is None and result.stop == "failed":
            return result.reason
        why = output.wrong(given, self.task.output_schema or {})
        return why and f"the answer is not what was asked for: {why}"

    def tell_what_is_lost(self) -> None:
        """What was used of the model, where no plan came of it."""
        spent = self.state.spent
        if spent.tokens or spent.unknown_costs:
            unknown = f" + {spent.unknown_costs} of unknown cost" if spent.unknown_costs else ""
            self.notice(f"used for nothing: {spent.tokens:,} tokens, {money(spent.cost_usd)}{unknown}")

    def complete(self, number: int, result: base.Result) -> None:
        self.tell(ev.TaskCompleted(task=self.task.id, attempt=number, usage=result.usage))

    def fail(self, number: int, error: UnusableError) -> None:
        failed = ev.TaskFailed(
            task=self.task.id, attempt=number, reason=error.lesson, retry=True, usage=error.result.usage
        )
        self.tell(failed)


def _fallbacks(plan: Plan) -> list[str]:
    return [entry.partition(":")[0] for entry in plan.defaults.fallback]


_ENDS: Mapping[str, Exit] = {"quota": Exit.QUOTA, "spent": Exit.LIMIT}
_CATEGORIES: Mapping[str, Exit] = {"budget": Exit.LIMIT, "input": Exit.USAGE}


def _answered(result: base.Result) -> base.Result:
    """*result*, where an answer may be in it, or the model is to blame that there is none."""
    if result.stop == "done" or (result.stop == "failed" and result.category == "task"):
        return result
    code = _ENDS.get(result.stop) or _CATEGORIES.get(result.category, Exit.MACHINE)
    raise PlanningError(f"no plan was made: {result.reason or result.stop}", code)


@contextmanager
def _interruptible(patience: Patience) -> Iterator[None]:
    """What interrupts first cancels the question; what comes again has killed what still runs."""
    task = asyncio.current_task()
    assert task is not None
    came: list[Interruption] = []

    def first(one: Interruption) -> None:
        came.append(one)
        task.cancel()

    try:
        with heeded(first, lambda _one: patience.run_out()):
            yield
    except asyncio.CancelledError:
        if not came:
            raise
        raise PlanningError("no plan was made: interrupted", came[0].code) from None
