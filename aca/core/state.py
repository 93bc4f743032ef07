"""The state of a session: a fold of its events, and nothing else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from aca.core import events as ev
from aca.core.progress import Checkpoint, Shared, Status, TaskState, together
from aca.core.spent import Spent, add_usage, usage_of
from aca.plans.plan import Plan, talks_with
from aca.plans.task import OWN, PARENT, ROLE, Task
from aca.plans.values import laid_over


class SessionState:
    """Tasks, their states, and the totals of a session.

    ``tasks`` are in file order, those that came later at the end. Only ``apply`` changes anything.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.session = ""
        self.forked_from = ""
        self.integrated = ""
        """The commit that has all merged work; empty where no task has a worktree."""
        self.begun_at = ""
        """The commit the worktrees started from."""
        self.tasks: dict[str, Task] = {}
        self.states: dict[str, TaskState] = {}
        self.order: dict[str, int] = {}
        self.children: dict[str, list[str]] = {}
        self.counts: Counter[Status] = Counter()
        self.seq = 0
        self.created_at = 0.0
        self.updated_at = 0.0
        self.overrides: dict[str, Any] = {}
        self.checkpoints: list[Checkpoint] = []
        self.notes: list[tuple[str, str]] = []
        """(task id, text) of every note, in the order they were left."""
        self.messages: set[str] = set()
        self.spent = Spent()
        """By all attempts of the session, and by whoever made its plan."""
        self.spent_on: defaultdict[str, Spent] = defaultdict(Spent)
        """By task, for those that used a model, and by each group around it."""
        self.spent_as: defaultdict[str, Spent] = defaultdict(Spent)
        """By role."""
        self.seconds_on: defaultdict[str, float] = defaultdict(float)
        """Time in attempts, by task and by each group around it."""
        self.seconds_as: defaultdict[str, float] = defaultdict(float)
        """The same by role."""
        self.at_work: dict[str, float] = {}
        """Tasks that are in progress, and since when."""
        self.calls: dict[tuple[str, int], ev.CallStarted] = {}
        """The calls that are not over, by task and number."""
        self.shared: dict[str, Shared] = {}
        """Conversations of several tasks, by what ``shared_by`` calls them."""
        self._talked_on: set[str] = set()
        """Tasks in whose conversation others go on."""
        self.cancelled: dict[str, ev.TaskCancelled] = {}
        """Tasks that are not to be done and have not ended yet."""
        self.runs = 0
        self.retries = 0
        """Attempts that this run tries again."""
        self.ended: ev.RunEnded | None = None
        self.proposals: list[str] = []
        """Tasks that agents have proposed, whatever became of them."""
        self.grown = 0
        """Tasks that agents have added."""
        self.done_work = 0
        """Completed tasks that are not groups."""
        for call in plan.planning:
            self.spent.add(usage_of(call), estimated=call.estimated)
        self._add(plan.tasks)
        done_groups = sum(self.states[task_id].status == "completed" for task_id in self.children)
        self.done_work = self.counts["completed"] - done_groups

    def apply(self, event: ev.Event) -> None:
        """Take one event in. Events must come in the order of their ``seq``."""
        self.seq, self.updated_at = event.seq, event.at
        _APPLY[type(event)](self, event)

    # -- questions ----------------------------------------------------------------------------------

    def unfinished(self) -> bool:
        """Whether a further run could get on with something."""
        blocked = self.counts["blocked"] - len(self.open_proposals())
        return any((self.counts["pending"], self.counts["in_progress"], blocked))

    def open_proposals(self) -> list[str]:
        """What agents proposed and nobody has answered: no part of the plan yet, it holds nothing up."""
        states = ((task_id, self.states[task_id]) for task_id in self.proposals)
        return [task_id for task_id, now in states if now.status == "blocked" and now.answer is None]

    @property
    def is_to_be_merged(self) -> bool:
        """Whether worktrees have made something that is for the user's branch."""
        return self.integrated != self.begun_at

    def failed(self) -> bool:
        """Whether some task failed, or was skipped because of a failure."""
        return any(state.dead for state in self.states.values())

    def leaves(self) -> Iterable[str]:
        """The tasks that are work themselves: all but the groups."""
        return (task_id for task_id in self.tasks if task_id not in self.children)

    def lineage(self, task_id: str) -> Iterator[str]:
        """The task and the groups around it, from the inside out."""
        owner: str | None = task_id
        while owner is not None:
            yield owner
            owner = self.tasks[owner].parent_id

    def failed_children(self, task_id: str) -> list[str]:
        return [child for child in self.children.get(task_id, ()) if self.states[child].dead]

    def shared_by(self, task: Task) -> str | None:
        """What the conversation is called that *task* shares with others; None when it has its own."""
        with_whom = talks_with(self.plan, task)
        while with_whom not in (OWN, PARENT, ROLE):
            task = self.tasks[with_whom]
            with_whom = talks_with(self.plan, task)
        if with_whom == PARENT:
            return f"{PARENT}:{task.parent_id}"
        if with_whom == ROLE:
            return f"{ROLE}:{task.role}"
        return f"task:{task.id}" if task.id in self._talked_on else None

    def left_of(self, task_id: str) -> list[str]:
        """The task, or those in the group, without what is settled; the group too while its checks run."""
        left, queue = [], [task_id]
        while queue:
            one = queue.pop()
            children = self.children.get(one, ())
            queue += reversed(children)
            status = self.states[one].status
            if status == "in_progress" or (not children and not self.states[one].settled):
                left.append(one)
        return left

    # -- one method per event -----------------------------------------------------------------------

    def _session_created(self, event: ev.SessionCreated) -> None:
        self.session, self.created_at, self.forked_from = event.session, event.at, event.forked_from
        self.integrated = self.begun_at = event.commit

    def _run_started(self, event: ev.RunStarted) -> None:
        self.runs += 1
        self.retries = 0
        self.ended = None
        self.overrides = laid_over(self.overrides, event.overrides)

    def _run_ended(self, event: ev.RunEnded) -> None:
        self.ended = event

    def _task_started(self, event: ev.TaskStarted) -> None:
        state = self._move(event.task, "in_progress", event)
        state.attempts = event.attempt
        self.at_work[event.task] = event.at
        state.started_at = state.started_at or event.at
        state.counted = False
        if not (state.interrupted or state.refusal):
            state.conversation = None  # a new attempt after a failure starts afresh
        state.fallback = None

    def _conversation_started(self, event: ev.ConversationStarted) -> None:
        self.states[event.task].conversation = (event.provider, event.conversation)

    def _call_started(self, event: ev.CallStarted) -> None:
        self.states[event.task].counted = True
        self.calls[event.task, event.call] = event

    def _call_ended(self, event: ev.CallEnded) -> None:
        started = self.calls.pop((event.task, event.call))
        self.charge(event, event.usage, call=started, estimated=event.estimated)

    def _note_left(self, event: ev.NoteLeft) -> None:
        self.states[event.task].notes += (event.text,)
        self.notes.append((event.task, event.text))

    def _task_fell_back(self, event: ev.TaskFellBack) -> None:
        self.states[event.task].fallback = (event.provider, event.model)

    def _window_neared(self, event: ev.WindowNeared) -> None:
        """Told to people; it changes nothing."""

    def _task_completed(self, event: ev.TaskCompleted) -> None:
        state = self._end(event, "completed")
        state.summary, state.checks = event.summary or state.summary, event.checks
        state.output = event.output
        self._share(event.task)
        self.done_work += event.task not in self.children
        self.integrated = event.integrated or self.integrated
        self._checkpoint(event, event.task)

    def _task_split(self, event: ev.TaskSplit) -> None:
        state = self._end(event, "pending")
        state.worked, state.summary, state.breaking = True, event.summary, None
        self.integrated = event.integrated or self.integrated
        self._share(event.task)
        self._grow(event.tasks, f'split off by the agent of "{event.task}"')
        self.grown += len(event.tasks)

    def _task_failed(self, event: ev.TaskFailed) -> None:
        is_remedied = event.decompose or bool(event.tasks)
        goes_on = event.retry or is_remedied
        status: Status = "pending" if goes_on else "skipped" if event.excused else "failed"
        state = self._end(event, status, event.reason)
        state.failures, state.lesson, state.excused = state.failures + 1, event.reason, event.excused
        state.not_before, state.checks = event.not_before, event.checks
        self.retries += event.retry
        if is_remedied:
            state.failures, state.remedied = 0, True
            state.breaking = event if event.decompose else None
        elif not event.retry:
            state.breaking = None
        self._put_before(event)

    def _task_interrupted(self, event: ev.TaskInterrupted) -> None:
        self._end(event, "pending", event.reason).interrupted = True

    def _task_refused(self, event: ev.TaskRefused) -> None:
        state = self._end(event, "pending", event.reason)
        state.refusals, state.refusal = state.refusals + 1, f"{event.reason}\n\n{event.detail}".strip()

    def _task_blocked(self, event: ev.TaskBlocked) -> None:
        state = self._end(event, "blocked", event.reason)
        state.waits_for, state.refusal = event.waits_for, event.reason if event.waits_for == "merge" else ""

    def _approval_answered(self, event: ev.ApprovalAnswered) -> None:
        self.states[event.task].answer = event
        self.messages.add(event.message)

    def _message_sent(self, event: ev.MessageSent) -> None:
        state = self.states[event.task]
        state.said, state.unheard = (*state.said, event), (*state.unheard, event)
        self.messages.add(event.message)

    def _message_delivered(self, event: ev.MessageDelivered) -> None:
        state = self.states[event.task]
        state.unheard = tuple(one for one in state.unheard if one.seq != event.cause)

    def _task_cancelled(self, event: ev.TaskCancelled) -> None:
        self.cancelled |= dict.fromkeys(self.left_of(event.task), event)
        self.messages.add(event.message)

    def _pause_requested(self, event: ev.PauseRequested) -> None:
        self.messages.add(event.message)

    def _task_proposed(self, event: ev.TaskProposed) -> None:
        self._grow([event.proposal], f'proposed by the agent of "{event.task}"')
        task_id = event.proposal["id"]
        state = self._move(task_id, "blocked", event, f"waits for approval: aca approve {task_id}")
        state.waits_for, state.proposed = "approval", True
        self.proposals.append(task_id)
        self.grown += 1

    def _tasks_added(self, event: ev.TasksAdded) -> None:
        self._grow(event.tasks, f"added by {event.by}")
        self.messages.add(event.message)

    def _addition_refused(self, event: ev.AdditionRefused) -> None:
        self.messages.add(event.message)

    def _task_skipped(self, event: ev.TaskSkipped) -> None:
        state = self._move(event.task, "skipped", event, event.reason)
        state.excused, state.ended_at = not event.failed, event.at

    def _task_reopened(self, event: ev.TaskReopened) -> None:
        state = self._move(event.task, "pending", event)
        state.failures, state.not_before, state.answer, state.excused = 0, 0.0, None, False
        state.interrupted, state.refusals = False, 0

    def _checkpoint_created(self, event: ev.CheckpointCreated) -> None:
        self._checkpoint(event, event.name)
        self.messages.add(event.message)

    # -- the few moves they are made of --------------------------------------------------------------

    def _put_before(self, event: ev.TaskFailed) -> None:
        """Take in what is to be done before the task is tried again, as a part of it or beside it."""
        self._grow(event.tasks, f'added because "{event.task}" failed')
        self.grown += len(event.tasks)
        beside = [task["id"] for task in event.tasks if task.get("parent_id") != event.task]
        if beside:
            task = self.tasks[event.task]
            needs = (*task.dependencies, *beside)
            self.tasks[event.task] = task.model_copy(update={"dependencies": needs})

    def _grow(self, tasks: Iterable[Mapping[str, Any]], origin: str) -> None:
        self._add((Task.model_validate(data) for data in tasks), origin)

    def _add(self, tasks: Iterable[Task], origin: str = "") -> None:
        for task in tasks:
            self.order[task.id] = len(self.order)
            self.tasks[task.id] = task
            self._talked_on.add(task.conversation or OWN)
            if task.parent_id is not None:
                self.children.setdefault(task.parent_id, []).append(task.id)
            is_skipped = task.status == "skipped"
            self.states[task.id] = TaskState(status=task.status, excused=is_skipped, origin=origin)
            self.counts[task.status] += 1

    def _checkpoint(self, event: ev.Event, name: str) -> None:
        self.checkpoints.append(Checkpoint(event.seq, event.at, name, self.done_work, self.integrated))

    def _share(self, task_id: str) -> None:
        """What was said at a task that is done is there for those that share its conversation."""
        if (talk := self.states[task_id].conversation) is None:
            return
        if (name := self.shared_by(self.tasks[task_id])) is None:
            return
        before = self.shared.get(name)
        told = before.told if before and (before.provider, before.conversation) == talk else ()
        attempt = (task_id, self.states[task_id].attempts)
        self.shared[name] = Shared(*talk, told=(*told, attempt))

    def _move(self, task_id: str, status: Status, event: ev.Event, reason: str = "") -> TaskState:
        state = self.states[task_id]
        self.counts[state.status] -= 1
        self.counts[status] += 1
        state.status, state.reason, state.waits_for, state.seq = status, reason, "", event.seq
        self.at_work.pop(task_id, None)
        if state.settled:
            self.cancelled.pop(task_id, None)
        return state

    def _end(self, event: ev.AttemptEnded, status: Status, reason: str = "") -> TaskState:
        state = self._move(event.task, status, event, reason)
        state.ended_at, state.interrupted = event.at, False
        state.seconds += event.seconds
        task = self.tasks[event.task]
        if task.role is not None:
            self.seconds_as[task.role] += event.seconds
        for owner in self.lineage(event.task):
            self.seconds_on[owner] += event.seconds
        state.commit = event.commit or state.commit
        if not isinstance(event, ev.TaskInterrupted):
            state.refusal = ""
        state.lost = event.lost
        if event.files:
            state.files = together(state.files, event.files)
        self._settle(event)
        return state

    def _settle(self, event: ev.AttemptEnded) -> None:
        """What the attempt used: its calls, or where none are in the journal what it tells at its end."""
        for key, call in [one for one in self.calls.items() if one[0][0] == event.task]:
            del self.calls[key]
            self.charge(event, call.reserved, call=call, estimated=True)
        if event.usage is not None and not self.states[event.task].counted:
            self.charge(event, event.usage)

    def charge(
        self,
        event: ev.CallEnded | ev.AttemptEnded,
        usage: ev.Usage | None,
        *,
        call: ev.CallStarted | None = None,
        estimated: bool = False,
    ) -> None:
        """Count what *event* tells or settles, for everybody whom it concerns; *call* is whose it was."""
        state = self.states[event.task]
        state.usage = add_usage(state.usage, usage) if usage is not None else state.usage
        for one in self._charged(self.tasks[event.task]):
            one.add(usage, estimated=estimated)

    def _charged(self, task: Task) -> Iterator[Spent]:
        yield self.spent
        if task.role is not None:
            yield self.spent_as[task.role]
        for owner in self.lineage(task.id):
            yield self.spent_on[owner]


_APPLY: dict[type[ev.Event], Callable[[SessionState, Any], None]] = {
    ev.SessionCreated: SessionState._session_created,
    ev.RunStarted: SessionState._run_started,
    ev.RunEnded: SessionState._run_ended,
    ev.TaskStarted: SessionState._task_started,
    ev.ConversationStarted: SessionState._conversation_started,
    ev.CallStarted: SessionState._call_started,
    ev.CallEnded: SessionState._call_ended,
    ev.NoteLeft: SessionState._note_left,
    ev.TaskFellBack: SessionState._task_fell_back,
    ev.WindowNeared: SessionState._window_neared,
    ev.TaskCompleted: SessionState._task_completed,
    ev.TaskSplit: SessionState._task_split,
    ev.TaskFailed: SessionState._task_failed,
    ev.TaskInterrupted: SessionState._task_interrupted,
    ev.TaskRefused: SessionState._task_refused,
    ev.TaskBlocked: SessionState._task_blocked,
    ev.ApprovalAnswered: SessionState._approval_answered,
    ev.MessageSent: SessionState._message_sent,
    ev.MessageDelivered: SessionState._message_delivered,
    ev.TaskCancelled: SessionState._task_cancelled,
    ev.PauseRequested: SessionState._pause_requested,
    ev.TaskProposed: SessionState._task_proposed,
    ev.TasksAdded: SessionState._tasks_added,
    ev.AdditionRefused: SessionState._addition_refused,
    ev.TaskSkipped: SessionState._task_skipped,
    ev.TaskReopened: SessionState._task_reopened,
    ev.CheckpointCreated: SessionState._checkpoint_created,
}
