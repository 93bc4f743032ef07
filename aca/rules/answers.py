"""What follows from the answer of a person: to an approval of the plan, or to work that an agent proposed."""

from __future__ import annotations

from aca.core import events as ev
from aca.core.state import SessionState
from aca.plans.task import Task


def consequence(state: SessionState, task: Task) -> ev.Event | None:
    """What is to be recorded of *task*, which waits for a person: the question, or what the answer means."""
    now, answer = state.states[task.id], state.states[task.id].answer
    if answer is None:
        if now.status != "pending":
            return None
        reason = f"waits for approval: aca approve {task.id}"
        return ev.TaskBlocked(task=task.id, reason=reason, waits_for="approval")
    remark = f" by {answer.by}" + (f": {answer.comment}" if answer.comment else "")
    if now.proposed:
        return _of_proposal(task, answer, remark)
    if answer.approved:
        return ev.TaskCompleted(task=task.id, summary=f"approved{remark}", cause=answer.seq)
    return ev.TaskFailed(task=task.id, reason=f"rejected{remark}", cause=answer.seq)


def _of_proposal(task: Task, answer: ev.ApprovalAnswered, remark: str) -> ev.Event:
    """Work that nobody wants is no failure."""
    if answer.approved:
        return ev.TaskReopened(task=task.id, reason=f"approved{remark}", cause=answer.seq)
    return ev.TaskSkipped(task=task.id, reason=f"rejected{remark}", cause=answer.seq)
