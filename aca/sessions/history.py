"""What the finished tasks of a workspace took and changed, for estimates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from aca.core import schedule
from aca.core.estimate import Estimate, Sample, estimate, kind_of, touched, work_of
from aca.core.state import SessionState
from aca.errors import MachineError
from aca.plans.plan import REPLAY, Plan
from aca.plans.task import Task
from aca.plans.touches import Learned
from aca.sessions import session

SESSIONS = 50
"""How many sessions are looked at, the newest first: older ones tell little and take time to read."""
ENOUGH = 5000
"""So many samples make further sessions needless."""


def samples(workspace: Path, but: str = "") -> list[Sample]:
    """One sample for each completed task of the latest sessions, newest first, *but* one of that id.

    Forks repeat what is told already.
    """
    found: list[Sample] = []
    with suppress(MachineError):  # none can be looked for: no plan need wait for what they would tell
        for _, state in islice(session.sound(workspace, but=but), SESSIONS):
            if not state.forked_from:
                found += _of(state)
            if len(found) >= ENOUGH:
                break
    return found


def estimated(plan: Plan, workspace: Path, but: str = "") -> Estimate:
    """What the open tasks of *plan* may take, going by the sessions here, *but* one of that id."""
    return estimate(plan, samples(workspace, but))


def learned(plan: Plan, workspace: Path, but: str) -> Learned:
    """What the open tasks of *plan* are known to change from the sessions here, *but* one of that id."""
    return touched(plan, samples(workspace, but))


def _of(state: SessionState) -> Iterator[Sample]:
    for name in state.leaves():
        task, now = state.tasks[name], state.states[name]
        if now.status != "completed" or not now.attempts or task.kind == "approval":
            continue
        tokens, cost = _used(state, task)
        yield Sample(
            work_of(state.plan, task),
            kind_of(state.plan, task),
            schedule.weight(task),
            now.seconds,
            tokens,
            cost,
            tuple(change.path for change in now.files),
        )


def _used(state: SessionState, task: Task) -> tuple[int | None, float | None]:
    """Tokens and cost; a command uses none, and neither does an agent that is replayed."""
    if kind_of(state.plan, task) in ("command", REPLAY):
        return 0, 0.0
    usage = state.states[task.id].usage
    return (None, None) if usage is None else (usage.tokens, usage.cost_usd)
