"""What models were used for, call by call: of the tasks of a session, and of making its plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from aca.core import events as ev
from aca.core.spent import usage_of
from aca.core.state import SessionState
from aca.plans.plan import Plan, profile
from aca.plans.provenance import PlanningCall

PLANNING = "(planning)"
"""In the place of a task, and of a role: nobody can call one so."""


class Charge(msgspec.Struct, frozen=True):
    """What one call used, or a whole agent in one attempt; None where nobody told."""

    session: str
    task: str
    role: str
    model: str
    """Who was called: the provider, and the model where one was named."""
    at: float
    usage: ev.Usage | None
    estimated: bool
    origin: str = ""
    """The session that this was taken over from, where it is of a fork's past."""


class Book(SessionState):
    """A state that keeps every charge by itself."""

    def __init__(self, plan: Plan) -> None:
        self.charges: list[Charge] = []
        super().__init__(plan)

    def charge(
        self,
        event: ev.CallEnded | ev.AttemptEnded,
        usage: ev.Usage | None,
        *,
        call: ev.CallStarted | None = None,
        estimated: bool = False,
    ) -> None:
        super().charge(event, usage, call=call, estimated=estimated)
        task = self.tasks[event.task]
        gets = profile(self.plan, task)
        provider, model = (call.provider, call.model) if call else (gets.provider, gets.model)
        who = ", ".join(filter(None, (provider, model)))
        self.charges.append(
            Charge(
                self.session, task.id, task.role or "", who, event.at, usage, estimated, self._origin(event)
            )
        )

    def _origin(self, event: ev.Event) -> str:
        origin, _, until = self.forked_from.partition(":")
        return origin if until.isdecimal() and event.seq <= int(until) else ""


def of_planning(plan: Plan, session: str) -> Iterator[Charge]:
    """What it took to make *plan*, which *session* carries out."""
    for call in plan.planning:
        at = datetime.fromisoformat(call.at).timestamp()
        yield Charge(session, PLANNING, PLANNING, call.by, at, usage_of(call), call.estimated)


def as_planning(charges: Sequence[Charge]) -> tuple[PlanningCall, ...]:
    """The same as a plan says it."""
    return tuple(
        PlanningCall.model_validate(
            {
                "by": one.model,
                "at": datetime.fromtimestamp(one.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "usage": None if one.usage is None else msgspec.structs.asdict(one.usage),
                "estimated": one.estimated,
            }
        )
        for one in charges
    )
