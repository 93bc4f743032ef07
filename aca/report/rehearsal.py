"""In which order a plan would start its tasks, were every one to succeed at once."""

from __future__ import annotations

from collections import deque
from functools import partial

from aca.core import events as ev
from aca.core import graph, schedule
from aca.core.state import SessionState
from aca.plans.plan import Plan
from aca.plans.task import Task


def order(plan: Plan) -> list[str]:
    """The tasks that are work or a question to a person, first to last. Asks the run's own parts."""
    return _Rehearsal(plan).play()


class _Rehearsal:
    def __init__(self, plan: Plan) -> None:
        self.mode = plan.execution_mode
        self.state = SessionState(plan)
        self.lengths = graph.path_lengths(plan) if self.mode == "intelligent" else {}
        self.frontier = graph.Frontier(self.state, self._rank)
        self.recent: deque[Task] = deque(maxlen=2 * schedule.LOOKAHEAD)
        self.played: list[str] = []

    def play(self) -> list[str]:
        while True:
            self._settle()
            task_id = self.frontier.take(self._chooser())
            if task_id is None:
                return self.played
            self._complete(task_id)

    def _rank(self, task: Task) -> schedule.Rank:
        return schedule.rank(task, self.mode, self.lengths.get(task.id, 0))

    def _chooser(self) -> partial[Task] | None:
        if self.mode != "intelligent":
            return None
        return partial(schedule.choose, recent=self.recent, running=[])

    def _settle(self) -> None:
        while self.frontier.instant or self.frontier.hopeless:
            while self.frontier.hopeless:
                self._apply(ev.TaskSkipped(task=self.frontier.hopeless.popleft()[0], reason="", failed=True))
            if self.frontier.instant:
                self._complete(self.frontier.instant.popleft())

    def _complete(self, task_id: str) -> None:
        if self.state.states[task_id].settled:
            return
        if task_id not in self.state.children:
            self.played.append(task_id)
            self.recent.append(self.state.tasks[task_id])
        self._apply(ev.TaskCompleted(task=task_id))

    def _apply(self, event: ev.TaskCompleted | ev.TaskSkipped) -> None:
        if not self.state.states[event.task].settled:
            self.state.apply(event)
            self.frontier.update(event.task)
