"""Caps on what may be used: whose they are, how much room they leave, and what to say when there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeVar

import msgspec

from aca.core.events import Usage
from aca.core.spent import Spent, money
from aca.core.state import SessionState
from aca.plans.plan import Plan
from aca.plans.settings import Budget
from aca.plans.task import Task
from aca.plans.values import format_duration

N = TypeVar("N", int, float)
INFINITE = float("inf")
NOTHING = Usage()
EPSILON = 1e-9
"""Sums of dollars are no more exact than that."""


class Cap(msgspec.Struct, frozen=True):
    """Limits of the whole session or, where either is named, of a task or a role."""

    limits: Budget
    task: str | None = None
    role: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is the session's, so that nothing can go on once it is reached."""
        return self.task is None and self.role is None

    @property
    def owner(self) -> str:
        """`` of task "login"``; nothing for the session's."""
        if self.task is not None:
            return f' of task "{self.task}"'
        return f' of role "{self.role}"' if self.role is not None else ""

    def counts(self, state: SessionState, task_id: str) -> bool:
        """Whether what *task_id* uses counts against it."""
        if self.task is not None:
            return self.task in state.lineage(task_id)
        return self.role is None or state.tasks[task_id].role == self.role

    def seconds(self, state: SessionState, now: float) -> float:
        """The time in attempts that counts against it, those that run now included."""
        running = (now - began for task_id, began in state.at_work.items() if self.counts(state, task_id))
        over = state.seconds_on[self.task] if self.task is not None else state.seconds_as[self.role or ""]
        return over + sum(max(0.0, one) for one in running)

    def spent(self, state: SessionState) -> Spent:
        """What counts against it so far."""
        if self.task is not None:
            return state.spent_on.get(self.task, Spent())
        if self.role is not None:
            return state.spent_as.get(self.role, Spent())
        return state.spent


class Refusal(msgspec.Struct, frozen=True):
    """Why there is no room, and whose cap that is."""

    cap: Cap
    reason: str


class Room(msgspec.Struct, frozen=True):
    """How much may still be used; infinite where nothing limits it."""

    tokens: float = INFINITE
    cost_usd: float = INFINITE

    def within(self, other: Room) -> Room:
        """What both allow."""
        return Room(min(self.tokens, other.tokens), min(self.cost_usd, other.cost_usd))


def caps(state: SessionState, task: Task) -> list[Cap]:
    """Those that hold for *task*: the session's, its role's, its own and those of the groups around it."""
    found = [Cap(state.plan.limits)] if state.plan.limits.is_set else []
    role = state.plan.roles.get(task.role or "")
    if role is not None and role.limits.is_set:
        found.append(Cap(role.limits, role=task.role))
    for owner in state.lineage(task.id):
        if (limits := state.tasks[owner].limits).is_set:
            found.append(Cap(limits, task=owner))
    return found


def room(state: SessionState, cap: Cap, *, reserved: bool = True) -> Room:
    """What *cap* leaves; without *reserved*, as if the calls that are under way were to use nothing."""
    used = cap.spent(state)
    tokens, cost = float(used.tokens), used.cost_usd
    for (task_id, _), call in state.calls.items() if reserved else ():
        if cap.counts(state, task_id):
            tokens += call.reserved.tokens
            cost += call.reserved.cost_usd or 0.0
    most_tokens, most_cost = cap.limits.max_tokens, cap.limits.max_cost_usd
    return Room(
        INFINITE if most_tokens is None else most_tokens - tokens,
        INFINITE if most_cost is None else most_cost - cost,
    )


def limits_cost(plan: Plan) -> bool:
    """Whether anything in *plan* limits what may be spent."""
    own = [role.limits for role in plan.roles.values()] + [task.limits for task in plan.tasks]
    return any(limits.max_cost_usd is not None for limits in (plan.limits, *own))


def common_room(state: SessionState, found: Iterable[Cap]) -> Room:
    """What all of them leave together."""
    left = Room()
    for cap in found:
        left = left.within(room(state, cap))
    return left


def seconds_left(state: SessionState, task: Task, now: float) -> float:
    """How long *task* may be worked at by its own caps and those of its groups and its role, as of *now*.

    What runs beside it counts up to *now* (Unix time), and goes on: this is to be asked again.
    """
    return min((_time_left(state, cap, now) for cap in caps(state, task)), default=INFINITE)


def _time_left(state: SessionState, cap: Cap, now: float) -> float:
    if cap.is_whole or cap.limits.max_duration is None:
        return INFINITE  # the run keeps to the session's own
    return cap.limits.max_duration - cap.seconds(state, now)


# -- what is said -----------------------------------------------------------------------------------------


def refusal(state: SessionState, task: Task, now: float) -> Refusal | None:
    """Why no attempt at *task* may go on at *now* (Unix time); None where one may."""
    for cap in caps(state, task):
        if told := reached(state, cap):
            return Refusal(cap, told)
        if _time_left(state, cap, now) <= 0:
            allowed = format_duration(cap.limits.max_duration or 0)
            reason = f"the time limit{cap.owner} is reached: {allowed} in attempts"
            return Refusal(cap, f"{reason}; raise its limits.max_duration")
    return None


def reached(state: SessionState, cap: Cap) -> str | None:
    """What to say where *cap* is used up in tokens or money; None where it is not."""
    for gauge in _gauges(state, cap):
        if gauge.left <= EPSILON:
            return f"{gauge.name} is reached: {gauge.used}; {gauge.cure}"
    return None


def shortage(state: SessionState, cap: Cap, call: Usage) -> str:
    """What to say of a call that could use as much as *call* and for which *cap* leaves no room."""
    if told := reached(state, cap):
        return told
    short = {"token": call.tokens, "cost": call.cost_usd or 0.0}
    gauges = sorted(_gauges(state, cap, call), key=lambda gauge: gauge.left - short[gauge.kind] > EPSILON)
    could = f"{call.tokens:,} tokens" if gauges[0].kind == "token" else money(call.cost_usd or 0.0)
    told = f"has no room for another call, which could take {could}: {gauges[0].used} used"
    return f"{gauges[0].name} {told}; {gauges[0].cure}"


class _Gauge(msgspec.Struct, frozen=True):
    """How far one limit of a cap is used up, in words."""

    kind: Literal["token", "cost"]
    cap: Cap
    left: float
    used: str
    cure: str

    @property
    def name(self) -> str:
        return f"the {self.kind} limit{self.cap.owner}"


def _gauges(state: SessionState, cap: Cap, call: Usage = NOTHING) -> Iterator[_Gauge]:
    """One for each limit of *cap*; what cures it leaves room for *call*."""
    left, used, limits = room(state, cap, reserved=False), cap.spent(state), cap.limits
    if limits.max_tokens is not None:
        told = f"{used.tokens} of {limits.max_tokens}"
        cure = (
            f"--max-tokens {_raised(limits.max_tokens, used.tokens + call.tokens)}"
            if cap.is_whole
            else "max_tokens"
        )
        yield _Gauge("token", cap, left.tokens, told, _cure(cap, cure))
    if limits.max_cost_usd is not None:
        unknown = f" + {used.unknown_costs} of unknown cost" if used.unknown_costs else ""
        told = f"{money(used.cost_usd)} of {money(limits.max_cost_usd)}{unknown}"
        raised = _raised(limits.max_cost_usd, used.cost_usd + (call.cost_usd or 0.0))
        cure = f"--max-cost {raised:g}" if cap.is_whole else "max_cost_usd"
        yield _Gauge("cost", cap, left.cost_usd, told, _cure(cap, cure))


def _raised(limit: N, used: N) -> N:
    """*limit* doubled until there is room beyond *used*."""
    raised = 2 * limit
    while raised <= used:
        raised *= 2
    return raised


def _cure(cap: Cap, what: str) -> str:
    return f"`aca resume {what}` goes on" if cap.is_whole else f"raise its limits.{what}"


def outlook(state: SessionState, task: Task) -> str:
    """What an agent is told before it begins; nothing where tokens and money have no cap."""
    left = common_room(state, caps(state, task))
    told = [f"{max(0.0, left.tokens):,.0f} tokens"] if left.tokens < INFINITE else []
    told += [money(max(0.0, left.cost_usd))] if left.cost_usd < INFINITE else []
    if not told:
        return ""
    return f"You may use up to {' and '.join(told)}, for all you read and write. Do what matters first."
