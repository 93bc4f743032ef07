"""What was used: known, unknown or nothing, and never one for another."""

from __future__ import annotations

import pytest

from aca.core import events as ev
from aca.core.state import SessionState
from aca.plans.plan import Plan
from aca.plans.settings import Defaults
from aca.plans.task import Task
from aca.report.spending import document, replayed, running_total, spending


def used(*usages: ev.Usage | None, provider: str = "claude-cli") -> SessionState:
    """A state in which one agent task per usage is completed."""
    tasks = tuple(Task(id=f"t{n}", title="t") for n in range(len(usages)))
    state = SessionState(Plan(defaults=Defaults(provider=provider), tasks=tasks))
    for task, usage in zip(tasks, usages, strict=True):
        state.apply(ev.TaskStarted(task=task.id, attempt=1))
        if provider != "replay":
            state.apply(ev.CallStarted(task=task.id, attempt=1, call=1, provider=provider))
            state.apply(ev.CallEnded(task=task.id, attempt=1, call=1, usage=usage))
        state.apply(ev.TaskCompleted(task=task.id, attempt=1, usage=usage))
    return state


KNOWN = ev.Usage(input_tokens=10, cost_usd=0.5)
NO_COST = ev.Usage(input_tokens=5)


@pytest.mark.parametrize(
    ("state", "text", "tokens", "cost"),
    [
        (used(), "no model used", 0, 0.0),
        (used(KNOWN, KNOWN), "20 tokens, $1.00", 20, 1.0),
        (used(NO_COST), "5 tokens, cost unknown", 5, None),
        (used(KNOWN, NO_COST), "15 tokens, $0.50 + 1 call of unknown cost", 15, None),
        (used(None), "tokens and cost unknown", None, None),
        (used(KNOWN, None), "at least 10 tokens, $0.50 + 1 call of unknown cost", None, None),
        (used(None, provider="replay"), "no model used", 0, 0.0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_known_is_said_to_be(
    state: SessionState, text: str, tokens: int | None, cost: float | None
) -> None:
    """For people in words, for machines as null."""
    told = document(state.spent)
    assert spending(state) == text
    assert (told["tokens"], told["cost_usd"]) == (tokens, cost)


def test_replayed_is_said_of_agent_tasks_only() -> None:
    """A plan of commands calls no model, and nothing of it is played back."""
    replay = Defaults(provider="replay")
    agent, command = Task(id="a", title="a"), Task(id="c", title="c", kind="command", command="true")
    assert replayed(Plan(defaults=replay, tasks=(agent,)))
    assert not replayed(Plan(defaults=replay, tasks=(command,)))
    assert not replayed(Plan(tasks=(agent,)))


def test_attempts_that_came_to_nothing_count() -> None:
    """A try that failed or was cut off has used something, told or not."""
    task = Task(id="t", title="t", retries=3)
    state = SessionState(Plan(defaults=Defaults(provider="claude-cli"), tasks=(task,)))
    state.apply(ev.TaskStarted(task="t", attempt=1))
    state.apply(ev.CallStarted(task="t", attempt=1, call=1, provider="claude-cli"))
    state.apply(ev.CallEnded(task="t", attempt=1, call=1))
    state.apply(ev.TaskInterrupted(task="t", attempt=1, reason="cut off"))
    assert spending(state) == "tokens and cost unknown"
    state.apply(ev.TaskStarted(task="t", attempt=2))
    state.apply(ev.TaskFailed(task="t", attempt=2, reason="no", retry=True, usage=KNOWN))
    state.apply(ev.TaskStarted(task="t", attempt=3))
    state.apply(ev.TaskCompleted(task="t", attempt=3, usage=KNOWN))
    assert spending(state) == "at least 20 tokens, $1.00 + 1 call of unknown cost"
    assert document(state.spent)["tokens"] is None
    assert running_total(state) == "at least 20 tokens, $1.00 + 1 call of unknown cost"
