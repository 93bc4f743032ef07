"""Work in the user's own directory, which tasks share. What each of them changed is kept all the same.

Before an attempt and after it the files are looked at; only where one has changed git is asked, and makes a
tree of it. So an attempt that changes nothing costs no more than these looks.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from aca.core.events import FileChange
from aca.core.progress import TaskState
from aca.core.state import SessionState
from aca.errors import NOT_JSON
from aca.plans import touches
from aca.plans.plan import profile
from aca.sessions.journal import write_aside
from aca.sessions.session import Session, write_patch
from aca.workspaces.base import Ground, Kept, Looking, Open, about, finished, kept_ref, seen_from
from aca.workspaces.git import GitError
from aca.workspaces.snapshots import Snapshots, Stamp, TooMuchError

log = logging.getLogger(__name__)


class AtWork(msgspec.Struct):
    """What has to be known of the attempts at work after aca was killed."""

    bases: dict[str, str] = {}
    """Attempt (``task/number``) -> the tree it began with, once something has changed since."""
    changed: dict[str, list[str]] = {}
    """File, a letter for each byte of its name -> the attempts that were at work when it changed."""


@dataclass
class Inplace(Open):
    """All tasks share one directory. Without ``snapshots`` nothing is kept."""

    session: Session
    state: SessionState
    snapshots: Snapshots | None = None
    notice: Callable[[str], None] = log.warning
    _running: dict[str, str] = field(default_factory=dict)
    """Attempts at work -> the tree each began with; empty as long as the index holds that."""
    _changed: dict[str, set[str]] = field(default_factory=dict)
    """As ``AtWork.changed``."""
    _commits: dict[str, str] = field(default_factory=dict)
    """Trees that attempts began with, or may begin with -> a commit that holds each of them."""
    _told: set[str] = field(default_factory=set)
    """What is said to be left out."""
    _looking: Looking = field(default_factory=Looking)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    # -- for an attempt -----------------------------------------------------------------------------

    async def open(self, task_id: str, attempt: int) -> Ground:
        """The directory itself, as whoever was there before has left it."""
        async with self._turn:
            with self._or_not_at_all():
                await self._look()
            self._running[_key(task_id, attempt)] = ""
        return Ground(self.session.workspace, self.session.workspace)

    async def settle(self, ground: Ground) -> None:
        """There is nothing to set up."""

    async def keep(
        self, ground: Ground, task_id: str, attempt: int, told: Collection[FileChange] = ()
    ) -> Kept | None:
        """What has changed in the directory since it was opened, without what others at work did."""
        async with self._turn:
            with self._or_not_at_all():
                await self._look()
                if self.snapshots is None or not self._may_have_changed(_key(task_id, attempt)):
                    self._running.pop(_key(task_id, attempt), None)
                    return self._kept("", "", (), told)
                return await finished(partial(self._keep, task_id, attempt, told))
        return None

    def _may_have_changed(self, key: str) -> bool:
        return any(key in who for who in self._changed.values())

    async def _look(self) -> None:
        """See what has changed, and let git know."""
        if self.snapshots is None:
            return
        now = await self._looking(self.snapshots.look)
        if self.snapshots.differs(now):
            await finished(partial(self._take, self.snapshots, now))

    @contextmanager
    def _or_not_at_all(self) -> Iterator[None]:
        """Where git fails nothing more is kept; that stops no task."""
        try:
            yield
        except (GitError, TooMuchError, OSError) as error:
            self.notice(f"what tasks change in place is not kept from now on: {error}")
            self.snapshots = None

    # -- blocking -----------------------------------------------------------------------------------

    def recover(self) -> None:
        """Keep what attempts left that were killed."""
        cut = {_key(task_id, now.attempts): (task_id, now.attempts) for task_id, now in self._cut_off()}
        if self.snapshots is None or not cut or not self.snapshots.index.exists():
            return
        with self._or_not_at_all():
            known = self._written_down()
            self._running = {key: known.bases.get(key, "") for key in cut}
            self._changed = {
                os.fsdecode(name.encode("latin-1")): cut.keys() & set(who)
                for name, who in known.changed.items()
            }
            self._take(self.snapshots, self.snapshots.look())
            refs = self.snapshots.repository.refs(f"refs/aca/{self.session.id}/")
            for key, (task_id, attempt) in cut.items():
                if self._may_have_changed(key) and kept_ref(self.session.id, task_id, attempt) not in refs:
                    self._keep(task_id, attempt, ())
            self._running.clear()
            self._rest()

    def _cut_off(self) -> Iterator[tuple[str, TaskState]]:
        plan, tasks = self.state.plan, self.state.tasks
        for task_id, now in self.state.states.items():
            if now.status == "in_progress" and profile(plan, tasks[task_id]).workspace == "inplace":
                yield task_id, now

    def _take(self, snapshots: Snapshots, now: Mapping[str, Stamp]) -> None:
        """Let git know of what is there *now*, and note whose work it may be."""
        changed = snapshots.changes(now)
        if changed and self._running:
            before = snapshots.tree
            self._running = {key: base or before for key, base in self._running.items()}
            for path in changed:
                self._changed.setdefault(path, set()).update(self._running)
            self._write_down()  # first: when git knows, nobody can tell any more
        snapshots.take(now, changed)
        self._tell_left_out(snapshots.left_out)

    def _tell_left_out(self, left_out: Mapping[str, str]) -> None:
        """Say in the session what is not kept, and why."""
        if left_out.keys() != self._told:
            self._told = set(left_out)
            told = [
                {"path": path.encode("utf-8", "replace").decode(), "reason": why}
                for path, why in sorted(left_out.items())
            ]
            write_aside(self._file.with_name("left_out.json"), msgspec.json.format(msgspec.json.encode(told)))

    def _keep(self, task_id: str, attempt: int, told: Collection[FileChange]) -> Kept:
        assert self.snapshots is not None
        key, repository = _key(task_id, attempt), self.snapshots.repository
        mine, base = self._claimed(task_id, key, told), self._running.pop(key)
        self._changed = {path: who - {key} for path, who in self._changed.items() if path not in mine}
        tree, difference = self.snapshots.joined(base, self.snapshots.tree, mine)
        if tree == base:
            self._rest()
            return self._kept("", "", (), told)
        text = about(self.session.id, self.state.tasks[task_id].title, task_id, attempt)
        before = self._commits.get(base) or repository.commit(base, (), f"Before: {text}")
        commit = repository.commit(tree, [before], text)
        repository.set_ref(kept_ref(self.session.id, task_id, attempt), commit)
        write_patch(self.session, task_id, attempt, difference.patch)
        self._remember({base: before, tree: commit}, tree)
        self._rest()
        return self._kept(commit, before, seen_from(repository.prefix, difference.changes), told)

    def _remember(self, made: Mapping[str, str], latest: str) -> None:
        """Of the commits, keep those that hold what attempts began with, or the next one will."""
        known, begun = {**self._commits, **made}, {*self._running.values(), latest}
        self._commits = {tree: commit for tree, commit in known.items() if tree in begun}

    def _claimed(self, task_id: str, key: str, told: Collection[FileChange]) -> set[str]:
        """The changed files that are its work: what it touches or told of, and what nobody else does."""
        names = {change.path for change in told}

        def touched(path: str, by: str) -> bool:
            task = self.state.tasks[by]
            return bool(task.touches) and not touches.outside(self.state.plan, task, [path])

        def is_mine(path: str, others: set[str]) -> bool:
            if path in names or touched(path, task_id):
                return True
            return not any(touched(path, other.rpartition("/")[0]) for other in others)

        return {path for path, who in self._changed.items() if key in who and is_mine(path, who - {key})}

    def _kept(
        self, commit: str, base: str, files: Sequence[FileChange], told: Collection[FileChange]
    ) -> Kept:
        """What git saw, and what it was told and cannot see."""
        seen = {change.path for change in files}
        unseen = [one for one in told if one.path not in seen and not self._sees(one.path)]
        return Kept(commit, base, (*files, *unseen))

    def _sees(self, path: str) -> bool:
        return self.snapshots is not None and self.snapshots.sees(path)

    # -- for whoever comes after a kill ---------------------------------------------------------------

    @property
    def _file(self) -> Path:
        return self.session.path / "file_changes" / "open.json"

    def _write_down(self) -> None:
        """Not to last over a power cut, for which the files themselves are not either."""
        changed = {os.fsencode(path).decode("latin-1"): sorted(who) for path, who in self._changed.items()}
        told = AtWork(self._running, changed)
        aside = self._file.with_suffix(".aside")
        aside.write_bytes(msgspec.json.encode(told))
        aside.replace(self._file)

    def _rest(self) -> None:
        """Nobody is at work: what changes now is nobody's."""
        if not self._running:
            self._changed.clear()
            self._file.unlink(missing_ok=True)

    def _written_down(self) -> AtWork:
        with suppress(OSError, *NOT_JSON):
            return msgspec.json.decode(self._file.read_bytes(), type=AtWork)
        return AtWork()


def _key(task_id: str, attempt: int) -> str:
    return f"{task_id}/{attempt}"
