"""How far one task is, and the marks that a session leaves on its way."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from aca.core import events as ev

Status = Literal["pending", "in_progress", "blocked", "completed", "failed", "skipped"]
STATUSES: tuple[Status, ...] = ("pending", "in_progress", "blocked", "completed", "failed", "skipped")


class TaskState(msgspec.Struct):
    """What is known of one task. ``reason`` says why it is blocked, failed or skipped."""

    status: Status = "pending"
    reason: str = ""
    origin: str = ""
    """How it came into the plan, where it was not there from the beginning."""
    attempts: int = 0
    failures: int = 0
    """Failed attempts since it was last (re)opened; interruptions do not count."""
    lesson: str = ""
    """Why the latest of them failed."""
    started_at: float = 0.0
    ended_at: float = 0.0
    seconds: float = 0.0
    """Time spent in attempts, all together."""
    not_before: float = 0.0
    summary: str = ""
    output: dict[str, Any] | None = None
    """The JSON object it gave, where it was asked for one."""
    notes: tuple[str, ...] = ()
    """What its agents have left for others to know."""
    usage: ev.Usage | None = None
    counted: bool = False
    """The calls of its latest attempt are in the journal, each with what it used."""
    files: tuple[ev.FileChange, ...] = ()
    lost: tuple[str, ...] = ()
    """What its latest attempt wrote that git ignores, in a worktree: it is not kept."""
    commit: str = ""
    """What its latest attempt left, where it worked in a worktree."""
    refusals: int = 0
    """How often its work did not fit what was merged meanwhile, since it was last (re)opened."""
    refusal: str = ""
    """What is to be told of the latest of them, until an attempt has ended otherwise than cut off."""
    checks: tuple[ev.CheckResult, ...] = ()
    waits_for: str = ""
    answer: ev.ApprovalAnswered | None = None
    conversation: tuple[str, str] | None = None
    """(provider, conversation id) of the latest attempt that had one."""
    fallback: tuple[str, str | None] | None = None
    """(provider, model) that made the latest attempt in place of the plan's choice."""
    interrupted: bool = False
    """Its last attempt was cut off: where the provider can, the next one continues its conversation."""
    excused: bool = False
    """Skipped for another reason than a failure: what needs it may go on."""
    said: tuple[ev.MessageSent, ...] = ()
    """What people said to whoever does it, oldest first."""
    unheard: tuple[ev.MessageSent, ...] = ()
    """What of that no attempt was told yet."""
    remedied: bool = False
    """``on_failure = "decompose"`` has done what it can for it, which is once."""
    breaking: ev.TaskFailed | None = None
    """The failure for which its next attempt is to break it into smaller tasks."""
    proposed: bool = False
    """An agent found that it should be done; it is once a person has approved it."""
    worked: bool = False
    """Its own attempt is done and it waits for the subtasks it handed in."""
    seq: int = 0
    """The event that put it where it is."""

    @property
    def satisfied(self) -> bool:
        """Whether what needs this task may start."""
        return self.status == "completed" or (self.status == "skipped" and self.excused)

    @property
    def dead(self) -> bool:
        """Whether what needs this task is hopeless."""
        return self.status == "failed" or (self.status == "skipped" and not self.excused)

    @property
    def settled(self) -> bool:
        return self.status in ("completed", "failed", "skipped")


class Checkpoint(msgspec.Struct, frozen=True):
    """A place to come back to: after event ``seq``, at Unix time ``at``."""

    seq: int
    at: float
    name: str
    completed: int
    """Tasks completed by then, groups not counted: they are no work of their own."""
    commit: str = ""
    """The session's merged work by then, where tasks have worktrees."""


class Shared(msgspec.Struct, frozen=True):
    """A conversation that several tasks share, and the attempts at them that are done and took part."""

    provider: str
    conversation: str
    told: tuple[tuple[str, int], ...] = ()


def together(
    before: tuple[ev.FileChange, ...], after: tuple[ev.FileChange, ...]
) -> tuple[ev.FileChange, ...]:
    """One entry per file; what an earlier attempt created stays created when a later one modifies it."""
    changes = {change.path: change for change in before}
    for change in after:
        old = changes.get(change.path)
        keeps = old is not None and old.action == "created" and change.action == "modified"
        changes[change.path] = old if old is not None and keeps else change
    return tuple(changes.values())
