"""What happened: small frozen facts in the past tense, one JSON line each.

Decisions are in the events (``TaskFailed.retry``), so reading a journal again never decides again. Each
line alone is a whole fact: a crash may cut a journal between any two of them.
"""

from typing import Any, Literal

import msgspec

FORMAT_VERSION = 1


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an attempt used of a model. ``cost_usd`` is None where it is not known, never 0 for that."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float | None = None

    @property
    def tokens(self) -> int:
        """All tokens that went through the model, cached ones included."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens


class CheckResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one check of one attempt ended; ``output`` is the end of what it printed when it failed."""

    name: str
    passed: bool
    seconds: float = 0.0
    exit_code: int | None = None
    output: str = ""


class FileChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file an attempt is known to have changed, relative to where it worked."""

    path: str
    action: Literal["created", "modified", "deleted"] = "modified"


class ContainerUse(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the container of an attempt used: memory in bytes, at its peak, and processor time; None is not
    known. ``oom_kills`` counts the processes that ended because its memory was used up."""

    peak_memory: int | None = None
    cpu_seconds: float | None = None
    oom_kills: int = 0


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """``seq`` counts from 1 within a session; ``at`` is Unix time in seconds; ``cause`` is the ``seq``
    of the event this one follows from, 0 where there is none."""

    seq: int = 0
    at: float = 0.0
    cause: int = 0


class SessionCreated(Event, frozen=True, tag="session_created"):
    """The first line of every journal. ``commit`` is what worktrees start from, where there are any."""

    session: str
    plan_sha256: str
    format_version: int = FORMAT_VERSION
    aca_version: str = ""
    forked_from: str = ""
    commit: str = ""


class RunStarted(Event, frozen=True, tag="run_started"):
    """A process took the session up. ``overrides`` is a piece of plan laid over the session's."""

    pid: int
    host: str = ""
    overrides: dict[str, Any] = {}


class RunEnded(Event, frozen=True, tag="run_ended"):
    """The process let go of the session in good order. ``until`` is when to try again, where known."""

    exit_code: int
    reason: str
    until: float | None = None


class TaskStarted(Event, frozen=True, tag="task_started"):
    """Attempt number ``attempt`` (from 1) began."""

    task: str
    attempt: int


class ConversationStarted(Event, frozen=True, tag="conversation_started"):
    """The provider named the conversation in which it works, so that it can be continued."""

    task: str
    attempt: int
    provider: str
    conversation: str


class CallStarted(Event, frozen=True, tag="call_started"):
    """A model is about to be called, or an agent that calls its model by itself: number ``call`` (from 1) of
    the attempt. ``reserved`` counts as used until it is known what was used; its cost is what an agent that
    can be told so may spend."""

    task: str
    attempt: int
    call: int
    provider: str
    model: str = ""
    reserved: Usage = Usage()


class CallEnded(Event, frozen=True, tag="call_ended"):
    """What the call used, None where nobody told; ``estimated``: it was cut off, and this is what was
    reserved. The ``usage`` at the end of an attempt is the sum of its calls, and not counted again."""

    task: str
    attempt: int
    call: int
    usage: Usage | None = None
    estimated: bool = False


class TaskFellBack(Event, frozen=True, tag="task_fell_back"):
    """The attempt is not made by the plan's first choice, which takes no calls now, but by ``provider``."""

    task: str
    attempt: int
    provider: str
    reason: str
    model: str | None = None


class WindowNeared(Event, frozen=True, tag="window_neared"):
    """A provider's window is nearly used up: ``share`` of it. It ends at ``until``, and at this pace will be
    used up at ``runs_out`` (Unix time, where known)."""

    provider: str
    window: str
    share: float
    until: float | None = None
    runs_out: float | None = None


class AttemptEnded(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What every ending of an attempt tells. Not recorded by itself."""

    task: str
    attempt: int = 0
    seconds: float = 0.0
    usage: Usage | None = None
    files: tuple[FileChange, ...] = ()
    commit: str = ""
    """What the attempt left, in a worktree; it differs from ``base`` by the task's work."""
    base: str = ""
    lost: tuple[str, ...] = ()
    """What it wrote in a worktree that git ignores: no commit has it, and it goes with the tree."""
    container: ContainerUse | None = None


class NoteLeft(Event, frozen=True, tag="note_left"):
    """An agent left a finding for whoever works later, as it worked."""

    task: str
    attempt: int
    text: str


class TaskCompleted(AttemptEnded, frozen=True, tag="task_completed"):
    """Done, and its checks (all of ``checks``) passed. ``summary`` is the agent's last word, ``output`` the
    JSON object it gave where the task asks for one.

    ``integrated`` is the session's commit from now on: with the work of this task, where it did any.
    """

    summary: str = ""
    checks: tuple[CheckResult, ...] = ()
    output: dict[str, Any] | None = None
    integrated: str = ""


class TaskSplit(AttemptEnded, frozen=True, tag="task_split"):
    """The attempt handed in subtasks: ``tasks`` (plan data) are to be done before the task is.

    What it did itself is in ``integrated``, as with ``TaskCompleted``.
    """

    tasks: tuple[dict[str, Any], ...]
    summary: str = ""
    integrated: str = ""


Category = Literal["transient", "task", "system", "input", "budget"]


class TaskFailed(AttemptEnded, frozen=True, tag="task_failed"):
    """The attempt failed. With ``retry`` another one may start at ``not_before`` (Unix time); ``excused``
    means that the plan lets what depends on the task go on all the same.

    With ``decompose`` the task is pending again, to be broken into smaller ones. With ``tasks`` (plan data)
    it is pending again when these are done.
    """

    reason: str
    category: Category = "task"
    retry: bool = False
    excused: bool = False
    decompose: bool = False
    tasks: tuple[dict[str, Any], ...] = ()
    not_before: float = 0.0
    checks: tuple[CheckResult, ...] = ()


class TaskInterrupted(AttemptEnded, frozen=True, tag="task_interrupted"):
    """The attempt was cut off through no fault of the task, which is pending again.

    ``quota`` tells that a provider's quota window is closed, until ``until`` where that is known; ``spent``,
    that the session's budget has no room for another call.
    """

    reason: str
    quota: bool = False
    spent: bool = False
    until: float | None = None


class TaskRefused(AttemptEnded, frozen=True, tag="task_refused"):
    """The work does not fit what was merged meanwhile. The task is pending again, to mend that.

    ``detail`` is what the agent is told of it: the conflict, or what failed on the merged result.
    """

    reason: str
    detail: str = ""


class TaskBlocked(AttemptEnded, frozen=True, tag="task_blocked"):
    """A person must do something before the task can go on."""

    reason: str
    waits_for: Literal["approval", "permission", "merge"]


class ApprovalAnswered(Event, frozen=True, tag="approval_answered"):
    """A person answered. ``message`` is the inbox entry, so that reading it twice changes nothing."""

    task: str
    approved: bool
    by: str
    comment: str = ""
    message: str = ""


class MessageSent(Event, frozen=True, tag="message_sent"):
    """A person said something to whoever does the task. It is part of the task from then on."""

    task: str
    text: str
    by: str
    message: str = ""


class MessageDelivered(Event, frozen=True, tag="message_delivered"):
    """An agent was told; ``cause`` is the ``message_sent``, ``task`` the task that was meant."""

    task: str
    attempt: int


class TaskCancelled(Event, frozen=True, tag="task_cancelled"):
    """A person decided that the task, or what is left of the group, will not be done; its end follows."""

    task: str
    by: str
    message: str = ""


class PauseRequested(Event, frozen=True, tag="pause_requested"):
    """A person wants the run to end when what runs has ended."""

    by: str
    message: str = ""


class TaskProposed(Event, frozen=True, tag="task_proposed"):
    """The agent of ``task`` found work that is no part of it: ``proposal`` (plan data) waits for a person."""

    task: str
    attempt: int
    proposal: dict[str, Any]


class TasksAdded(Event, frozen=True, tag="tasks_added"):
    """A person has added ``tasks`` (plan data): they are part of the plan from here on."""

    tasks: tuple[dict[str, Any], ...]
    by: str
    message: str = ""


class AdditionRefused(Event, frozen=True, tag="addition_refused"):
    """What a person wanted to add no longer fitted the plan when it was read."""

    title: str
    by: str
    reason: str
    message: str = ""


class TaskSkipped(Event, frozen=True, tag="task_skipped"):
    """The task will not be done. ``failed`` tells whether a failure is why."""

    task: str
    reason: str
    failed: bool = False


class TaskReopened(Event, frozen=True, tag="task_reopened"):
    """A failed, skipped or blocked task is pending again because a person asked for it."""

    task: str
    reason: str


class CheckpointCreated(Event, frozen=True, tag="checkpoint_created"):
    """A name for this place in the journal."""

    name: str
    message: str = ""


AnyEvent = (
    SessionCreated
    | RunStarted
    | RunEnded
    | TaskStarted
    | ConversationStarted
    | CallStarted
    | CallEnded
    | NoteLeft
    | TaskFellBack
    | WindowNeared
    | TaskCompleted
    | TaskSplit
    | TaskFailed
    | TaskInterrupted
    | TaskRefused
    | TaskBlocked
    | ApprovalAnswered
    | MessageSent
    | MessageDelivered
    | TaskCancelled
    | PauseRequested
    | TaskProposed
    | TasksAdded
    | AdditionRefused
    | TaskSkipped
    | TaskReopened
    | CheckpointCreated
)


def as_failure(ended: AttemptEnded, reason: str) -> TaskFailed:
    """The same attempt, as one that failed."""
    told = {name: getattr(ended, name) for name in AttemptEnded.__struct_fields__}
    return TaskFailed(**told, reason=reason)


Aside = (CallStarted, CallEnded, MessageSent, MessageDelivered, TaskCancelled)
"""Facts about a task that leave it where it is."""
Ending = TaskCompleted | TaskSplit | TaskFailed | TaskInterrupted | TaskRefused | TaskBlocked
"""How an attempt can end; what ``attempt`` returns and ``run`` records."""
