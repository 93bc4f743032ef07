"""A git worktree for each task, outside the repository's own working tree.

Where an attempt starts from follows from the journal and from what earlier attempts have left, and from
nothing else: an interrupted agent goes on in the tree as it is; after a failure an agent finds its work
merged with what others have finished meanwhile; a command starts anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from aca import user_state
from aca.core.events import FileChange
from aca.core.state import SessionState
from aca.errors import MachineError
from aca.sessions.session import Session, write_patch
from aca.workspaces.base import Beside, Ground, Kept, Open, TreeError, about, finished, kept_ref, seen_from
from aca.workspaces.repository import Repository, find
from aca.workspaces.tree import Tree, copy_into, trees_below

log = logging.getLogger(__name__)

MOST_LOST = 50
"""So many ignored files of an attempt are told of, at most."""
INTEGRATION = ".integration"
"""The tree in which what is merged is checked; no task can be called so."""


def branch(session: str) -> str:
    """The branch on which the session's merged work is."""
    return f"refs/heads/aca/{session}"


def merged_ref(session: str) -> str:
    """What holds the session's merged work, whatever becomes of its branch; no task is called so."""
    return f"refs/aca/{session}/%merged"


@dataclass(frozen=True)
class Worktrees(Open):
    """The worktrees of one session. Blocking work is done in threads, one change of a tree at a time."""

    repository: Repository
    session: Session
    folder: Path
    """Where this session's trees are."""
    state: SessionState
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    # -- for an attempt -----------------------------------------------------------------------------

    async def open(self, task_id: str, attempt: int) -> Ground:
        """A tree that holds what the attempt is to start from. Raises MachineError."""
        async with self._turn:
            return await finished(partial(self._open, task_id, attempt))

    async def settle(self, ground: Ground) -> None:
        """What was copied and set up is nobody's work."""
        await finished(Tree(self.repository, ground.top).settle)

    async def keep(
        self, ground: Ground, task_id: str, attempt: int, told: Collection[FileChange] = ()
    ) -> Kept:
        """Make a commit of what is there, and a ref that holds it. Raises TreeError."""
        return await finished(partial(self.keep_now, ground.top, ground.start, task_id, attempt))

    async def integration(self, commit: str) -> Ground:
        """The tree in which *commit* can be looked at before it counts."""
        async with self._turn:
            return await finished(partial(self._made, INTEGRATION, commit))

    async def remove(self, task_id: str) -> None:
        """Remove a task's tree, which is kept as a commit."""
        async with self._turn:
            await finished(self.tree(task_id).remove)

    # -- blocking -----------------------------------------------------------------------------------

    def tree(self, task_id: str) -> Tree:
        return Tree(self.repository, self.folder / task_id)

    def keep_now(self, top: Path, start: str, task_id: str, attempt: int) -> Kept:
        """What ``keep`` does."""
        tree = Tree(self.repository, top)
        message = about(self.session.id, self.state.tasks[task_id].title, task_id, attempt)
        commit = tree.commit(start, message)
        self.repository.set_ref(kept_ref(self.session.id, task_id, attempt), commit)
        base = self.repository.base(start, self.state.integrated)
        difference = self.repository.difference(base, commit)
        write_patch(self.session, task_id, attempt, difference.patch)
        changes = seen_from(self.repository.prefix, difference.changes)
        return Kept(commit, base, changes, self._lost(tree), tree.unkept())

    def _lost(self, tree: Tree) -> tuple[str, ...]:
        names = [FileChange(name, "created") for name in tree.lost()[:MOST_LOST]]
        return tuple(change.path for change in seen_from(self.repository.prefix, names))

    def recover(self) -> None:
        """Keep what attempts left that were killed, and set the branch to what the journal says."""
        for task_id, now in self.state.states.items():
            if now.status == "in_progress":
                self._keep_unkept(task_id, now.attempts)
        self.advance()

    def hold(self, commit: str) -> None:
        """Have git keep what is merged by now."""
        self.repository.set_ref(merged_ref(self.session.id), commit)

    def advance(self) -> None:
        """Move the session's branch to where the journal says it is.

        It stays where it is while somebody looks at it, or when somebody has made commits on it.
        """
        name, tip = branch(self.session.id), self.state.integrated
        self.hold(tip)
        now = self.repository.refs(name).get(name, "")
        if now and not self.repository.contains(tip, now):
            short = name.removeprefix("refs/heads/")
            log.warning("%s has commits that are not aca's and stays as it is; %s is merged", short, tip)
        elif not self.repository.is_checked_out(name):
            self.repository.set_ref(name, tip, now)

    def remove_unneeded(self) -> None:
        """Remove the trees in which nobody will go on."""
        known = {task_id for task_id, now in self.state.states.items() if not now.settled}
        for tree in trees_below(self.repository, self.folder):
            if tree.path.name not in known:
                tree.remove()
        remove_empty(self.folder)

    def _open(self, task_id: str, attempt: int) -> Ground:
        if not self.repository.has(self.state.integrated):
            commit = self.state.integrated
            raise MachineError(
                f"{self.repository.common} has lost commit {commit} of session {self.session.id}"
            )
        self._keep_unkept(task_id, attempt - 1)
        tree, previous = self.tree(task_id), self._previous(task_id, attempt)
        now = self.state.states[task_id]
        if now.interrupted and previous and not now.refusal:
            if start := tree.start():
                return self._ground(tree, start)
            return self._made(task_id, previous)
        if not previous:
            return self._made(task_id, self.state.integrated)
        return self._joined(task_id, previous)

    def _joined(self, task_id: str, previous: str) -> Ground:
        """The task's own work, with what others have finished since merged into it."""
        joined = self.repository.join(previous, self.state.integrated)
        message = f"{self.state.tasks[task_id].title}: with what was merged meanwhile\n"
        commit = self.repository.commit(joined.tree, [previous, self.state.integrated], message)
        return self._made(task_id, commit, joined.conflicts)

    def _made(self, name: str, commit: str, conflicts: tuple[str, ...] = ()) -> Ground:
        tree = self.tree(name)
        try:
            is_fresh = tree.make(commit)
            if is_fresh:
                settings = self.state.plan.workspace
                copy_into(tree.path / self.repository.prefix, self.repository.workspace, settings.copies)
        except OSError as error:
            why = f"{error.filename or tree.path}: {error.strerror}"
            raise MachineError(f"a worktree cannot be made: {why}") from error
        return self._ground(tree, commit, is_fresh, conflicts)

    def _ground(self, tree: Tree, start: str, fresh: bool = False, conflicts: tuple[str, ...] = ()) -> Ground:
        root = tree.path / self.repository.prefix
        root.mkdir(parents=True, exist_ok=True)
        beside = None if (own := tree.admin()) is None else Beside(own, self.repository.common)
        return Ground(root, tree.path, fresh, start, conflicts, beside)

    def _previous(self, task_id: str, attempt: int) -> str:
        """What the attempt before left; empty where nobody would go on with it, or it is gone."""
        if self.state.tasks[task_id].kind != "agent" or task_id in self.state.children:
            return ""
        ref = kept_ref(self.session.id, task_id, attempt - 1)
        commit = self.repository.refs(ref).get(ref, "") or self.state.states[task_id].commit
        return commit if self.repository.has(commit) else ""

    def _keep_unkept(self, task_id: str, attempt: int) -> None:
        """Keep what a killed attempt left. What cannot be kept is past help: nobody could say who did it."""
        ref, tree = kept_ref(self.session.id, task_id, attempt), self.tree(task_id)
        if attempt < 1 or not (start := tree.start()) or ref in self.repository.refs(ref):
            return
        try:
            self.keep_now(tree.path, start, task_id, attempt)
        except TreeError:
            return


def of_session(session: Session, state: SessionState, environ: Mapping[str, str]) -> Worktrees | None:
    """The worktrees of *session*; None where it has none. Raises MachineError when the repository is gone."""
    if not state.integrated:
        return None
    repository = find(session.workspace)
    if repository is None:
        why = f"where session {session.id} has its worktrees"
        raise MachineError(f"{session.workspace} is in no git repository any more, {why}")
    repository = replace(repository, session=session.id)
    folder = user_state.worktrees(session.workspace, environ) / session.id
    return Worktrees(repository, session, folder, state)


def remove_empty(folder: Path) -> None:
    """Remove *folder* and those around it that hold nothing any more, as far up as aca made them."""
    for path in (folder, *folder.parents[:2]):
        try:
            path.rmdir()
        except OSError:
            return
