"""The merge queue: finished work joins the session's merged work, one task at a time, and never breaks it.

The result is made without any working tree, is checked in one of its own, and counts only when it is in
the journal. Until then it is a commit that nothing points to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from aca.core.events import CheckResult
from aca.plans.task import Task
from aca.workspaces.base import Kept, finished, kept_ref
from aca.workspaces.worktree import Worktrees

TRIES = 2
"""How often work that does not fit goes back to its task before a person has to look."""
DETAIL = 8000
"""How many characters of what others did a task is told, at most."""

_MARKER = r"^(<{7}|>{7}) [0-9a-f]{40,64}(:|$)"
"""What aca's own merges leave, which name commits: an example of a conflict in a text is none."""
_TASK = "Aca-Task"

Checking = Callable[[str, bool], Awaitable[tuple[CheckResult, ...]]]
"""``check(commit, joined)``: what the checks say of it; with *joined*, others' work is in it too."""


class Merged(msgspec.Struct, frozen=True):
    """The session's merged work, with a task's in it."""

    commit: str


class Refused(msgspec.Struct, frozen=True):
    """Why a task's work was not taken: what does not fit, and what its agent is to know."""

    reason: str
    detail: str = ""


class Queue(msgspec.Struct):
    """Takes the work of one task at a time. ``tip`` is what is merged so far."""

    trees: Worktrees
    tip: str
    _turn: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)

    async def merge(
        self, task: Task, kept: Kept, summary: str, check: Checking, is_over: Callable[[], bool]
    ) -> Merged | Refused | None:
        """Join *kept* to what is merged, see whether that holds, and take the task's tree away.

        Nothing is waited for once ``tip`` has moved, so that a task whose work counts cannot be cut off
        before it says so. None where the work turns out not to be over while it is checked.
        """
        if not kept.files:
            await self.trees.remove(task.id)
            return Merged("")
        async with self._turn:
            made = await finished(partial(self._join, task, kept, summary))
            if isinstance(made, Refused):
                return made
            results = await check(made, self.tip != kept.base)
            if broken := [result for result in results if not result.passed]:
                return await self._red(task, kept, broken, check)
            if not is_over():
                return None
            await finished(partial(self.trees.hold, made))
            await self.trees.remove(task.id)
            self.tip = made
            return Merged(made)

    def _join(self, task: Task, kept: Kept, summary: str) -> str | Refused:
        """The commit that would be the new tip."""
        repository = self.trees.repository
        if marked := self._marked(kept):
            others = repository.trailers(self.trees.state.begun_at, self.tip, _TASK, marked)
            return Refused(f"conflict markers are left in {_listed(marked)}, in conflict{_with(others)}")
        joined = repository.join(self.tip, kept.commit)
        if joined.conflicts:
            return self._conflict(kept, joined.conflicts, joined.told)
        message = f"{task.title}\n\n{summary}".strip()
        trailers = f"{_TASK}: {task.id}\nAca-Session: {self.trees.session.id}\n"
        return repository.commit(joined.tree, [self.tip], f"{message}\n\n{trailers}")

    def _marked(self, kept: Kept) -> list[str]:
        """Files in which the task has left the conflict markers it was given."""
        repository = self.trees.repository
        changes = repository.changes(kept.base, kept.commit)
        paths = [change.path for change in changes if change.action != "deleted"]
        marked = repository.holding(_MARKER, kept.commit, paths)
        return sorted(marked - repository.holding(_MARKER, kept.base, sorted(marked)))

    def _conflict(self, kept: Kept, paths: Sequence[str], told: str) -> Refused:
        repository = self.trees.repository
        others = repository.trailers(kept.base, self.tip, _TASK, paths)
        theirs = repository.diff(kept.base, self.tip, paths)[:DETAIL]
        reason = f"merge conflict in {_listed(paths)}{_with(others)}"
        return Refused(reason, f"{told}\n\nWhat was merged meanwhile:\n\n{theirs}")

    async def _red(self, task: Task, kept: Kept, broken: Sequence[CheckResult], check: Checking) -> Refused:
        names = _listed([result.name for result in broken])
        outputs = "\n\n".join(f"{result.name}:\n{result.output}" for result in broken)
        culprit = await self._culprit(task, kept, check)
        whose = _with([culprit]) if culprit else ", as it does without the work of others"
        return Refused(f"{names} failed on the merged result{whose}", outputs)

    async def _culprit(self, task: Task, kept: Kept, check: Checking) -> str:
        """With whose work that of *task* fails; empty where it fails by itself.

        Found by halving what was merged since its first attempt began: each commit of it held by itself.
        """
        merged = await finished(partial(self._merged_since, task, kept))
        commits = [*merged]
        green, red = -1, len(commits) - 1
        while red - green > 1:
            middle = (green + red) // 2
            if await self._holds(commits[middle], kept, check):
                green = middle
            else:
                red = middle
        return merged[commits[red]]

    def _merged_since(self, task: Task, kept: Kept) -> dict[str, str]:
        """Commit -> whose work it is, from the one the task began with, which is nobody's, to the tip."""
        repository, first = self.trees.repository, kept_ref(self.trees.session.id, task.id, 1)
        begun = repository.base(first, self.tip) if repository.refs(first) else kept.base
        return {begun: "", **repository.since(begun, self.tip, _TASK)}

    async def _holds(self, commit: str, kept: Kept, check: Checking) -> bool:
        """Whether the checks pass on *commit* with the task's changes done to it."""
        repository = self.trees.repository
        moved = await finished(partial(repository.moved, kept.base, kept.commit, commit))
        if moved.conflicts:
            return False
        made = await finished(partial(repository.commit, moved.tree, [commit], "To be checked\n"))
        return all(result.passed for result in await check(made, True))


def _with(others: Sequence[str]) -> str:
    return f" with the work of {_listed(others)}" if others else ""


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f'"{name}"' for name in names[:most]) + more
