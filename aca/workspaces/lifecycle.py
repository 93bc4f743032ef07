"""What is around a run and its places: made ready before, merged into the user's branch and removed after."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec.structs import replace

from aca import user_state
from aca.core import events as ev
from aca.core.state import SessionState
from aca.errors import SessionError
from aca.sessions.session import UNSOUND, Session, listing
from aca.sessions.whereabouts import HOME
from aca.workspaces import choice, git
from aca.workspaces.base import TreeError, kept_ref
from aca.workspaces.git import GitError
from aca.workspaces.inplace import Inplace
from aca.workspaces.kept import FILES, INDEX, repositories
from aca.workspaces.repository import IDENTITY, Repository, apart, find
from aca.workspaces.snapshots import Snapshots
from aca.workspaces.tree import trees_below
from aca.workspaces.worktree import (
    INTEGRATION,
    Worktrees,
    branch,
    merged_ref,
    of_session,
    remove_empty,
)

# -- around a run -------------------------------------------------------------------------------------


def ready(one: Session, state: SessionState) -> Worktrees | None:
    """The session's worktrees as its journal knows them; those that nobody needs any more are gone."""
    reap(one.workspace)
    trees = of_session(one, state, os.environ)
    if trees is not None:
        trees.recover()
    return trees


def in_place(
    one: Session, state: SessionState, besides: Path | None, notice: Callable[[str], None]
) -> Inplace:
    """What keeps the work of tasks in the directory itself; what killed attempts left there is kept by now.

    *besides* is a file there that is written by aca. Without git, or where the plan says so, nothing is kept.
    """
    made = Inplace(one, state, notice=notice)
    if not (state.plan.workspace.snapshots and choice.uses(state.plan, "inplace")):
        return made
    with suppress(GitError):
        repository = find(one.workspace) or apart(one.workspace, one.workspace / HOME / FILES, make=True)
        if repository is not None:
            index = one.path / "file_changes" / INDEX
            made.snapshots = Snapshots(replace(repository, session=one.id), index, besides)
            made.recover()
    return made


class Branch:
    """Moves the session's branch to what is merged, once that is in the journal."""

    def __init__(self, trees: Worktrees) -> None:
        self._trees = trees

    def event(self, event: ev.Event, state: SessionState) -> None:
        if isinstance(event, ev.TaskCompleted | ev.TaskSplit) and event.integrated:
            with suppress(GitError):  # what is merged is held already; the next one moves the branch as well
                self._trees.advance()


# -- the user's branch --------------------------------------------------------------------------------


_REACHING = ("GIT_SSH", "GIT_ASKPASS", "GIT_HTTP", "GIT_PROXY")
"""How the variables begin by which people tell git how to reach others."""


def pull(workspace: Path) -> str:
    """Bring the branch that is checked out up to what it follows; what has become of it. Raises SessionError.

    Only where that is a fast-forward; else nothing is changed.
    """
    reach = {name: value for name, value in os.environ.items() if name.startswith(_REACHING)}
    before = _head(workspace)
    try:
        git.git("pull", "--ff-only", "--quiet", cwd=workspace, env=reach)
    except GitError as error:
        cure = "bring it up to date by hand, or leave --pull out"
        raise SessionError(f"nothing was pulled: {error}\n   {cure}") from None
    now = _head(workspace)
    return f"pulled: HEAD is {now} now, and was {before}" if now != before else f"pulled: HEAD is still {now}"


def _head(workspace: Path) -> str:
    found = find(workspace)
    return found.head[:12] if found is not None else "nowhere"


class Landed(msgspec.Struct, frozen=True):
    """What became of a merge: ``how`` is ``fast-forward``, ``merge``, or ``nothing`` where all was there."""

    how: str
    commit: str
    branch: str


def merge(one: Session) -> Landed:
    """Bring what the session has merged into what is checked out in its workspace.

    Raises SessionError, with the cure, when that cannot be done; nothing is changed then.
    """
    commit, repository = _integrated(one), _repository(one)
    name = repository.branch() or "HEAD, which is on no branch"
    if repository.contains(repository.head, commit):
        return Landed("nothing", commit, name)
    if begun := repository.under_way():
        raise SessionError(f"a {begun} is under way in {one.workspace}\n   finish it or abort it first")
    if repository.is_dirty(untracked=False):
        raise SessionError(
            "there are changes that are not committed\n   commit or stash them first: git stash"
        )
    if repository.contains(commit, repository.head):
        _git_merge(repository, "--ff-only", commit)
        return Landed("fast-forward", commit, name)
    joined = repository.join(repository.head, commit)
    if joined.conflicts:
        raise SessionError(_conflict(one, name, joined.conflicts))
    _git_merge(repository, "--no-ff", "--no-edit", "-m", f"Merge session {one.id} of aca", commit)
    return Landed("merge", repository.here("rev-parse", "HEAD").strip(), name)


def _git_merge(repository: Repository, *arguments: str) -> None:
    """git's own merge: it looks once more, and touches nothing where a file is in the way."""
    try:
        repository.here("merge", "--quiet", "--no-verify", *arguments, fallback=IDENTITY)
    except GitError as error:
        with suppress(GitError):  # where it had not begun there is nothing to take back
            repository.here("merge", "--abort")
        raise SessionError(f"nothing was merged: {error}") from None


def _conflict(one: Session, name: str, paths: Sequence[str]) -> str:
    files = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
    cure = f"merge it yourself, as any branch: git merge aca/{one.id}"
    return f"{name} and session {one.id} have both changed {files}\n   {cure}"


def is_merged(one: Session, state: SessionState) -> bool:
    """Whether all the session's merged work is on some branch or tag that is not aca's own."""
    if not state.is_to_be_merged:
        return True
    repository = find(one.workspace)
    if repository is None or not repository.has(state.integrated):
        return False  # it may be elsewhere for a while
    return _is_with_the_user(repository, state.integrated)


def _is_with_the_user(repository: Repository, commit: str) -> bool:
    """Whether *commit* is on some branch or tag that is not aca's own."""
    said = repository.run("for-each-ref", f"--contains={commit}", "--format=%(refname)")
    return any(
        not ref.startswith(("refs/aca/", "refs/heads/aca/", "refs/stash")) for ref in said.splitlines()
    )


# -- what nobody needs any more -----------------------------------------------------------------------


def forget(one: Session, *, keeps_work: bool) -> None:
    """Remove worktrees, branch and refs of a session that is being removed.

    A branch that is checked out stays, and so does one with commits that would be nowhere else; aca's own
    count as such where *keeps_work*.
    """
    for repository in repositories(one.workspace):
        _forget(one, repository, keeps_work)


def _forget(one: Session, repository: Repository, keeps_work: bool) -> None:
    _remove_trees(repository, user_state.worktrees(one.workspace, os.environ) / one.id)
    name, refs = branch(one.id), repository.refs(f"refs/aca/{one.id}/", branch(one.id))
    merged = "" if keeps_work else refs.get(merged_ref(one.id), "")
    if name in refs and not _is_spent(repository, name, refs[name], merged):
        del refs[name]
    repository.delete_refs(refs)


def _is_spent(repository: Repository, name: str, tip: str, merged: str) -> bool:
    """Whether nobody looks at the branch and all that is on it is aca's own or on one of the user's."""
    if repository.is_checked_out(name):
        return False
    return _is_with_the_user(repository, tip) or bool(merged and repository.contains(merged, tip))


def tidy(workspace: Path) -> None:
    """Remove what removed sessions have left in aca's own repository, and in the end that itself."""
    repository = apart(workspace, workspace / HOME / FILES)
    if repository is None:
        return
    if listing(workspace):
        repository.run("gc", "--quiet")
    else:
        shutil.rmtree(repository.common)


def reap(workspace: Path) -> None:
    """Remove the worktrees of sessions that are over or gone. What is not kept yet is kept first."""
    folder = user_state.worktrees(workspace, os.environ)
    repository = find(workspace) if folder.is_dir() else None
    if repository is None:
        return
    trees = sorted(folder.iterdir())  # first: a session that begins meanwhile is then in the listing
    known = {one.id: one for one in listing(workspace)}
    for path in trees:
        if path.name not in known:
            _keep_strays(repository, path)
            _remove_trees(repository, path)
        elif not known[path.name].is_running():
            _reap_session(known[path.name])


def _reap_session(one: Session) -> None:
    with suppress(*UNSOUND), one.lock():  # what is wrong with another session holds this one up in no way
        trees = of_session(one, one.state(), os.environ)
        if trees is not None:
            trees.recover()
            trees.remove_unneeded()


def _keep_strays(repository: Repository, folder: Path) -> None:
    """Trees of a session whose directory somebody has removed: their work stays under ``refs/aca``."""
    for tree in trees_below(repository, folder):
        name = tree.path.name
        if name != INTEGRATION and (start := tree.start()):
            with suppress(TreeError):
                commit = tree.commit(start, f"{name}: found without its session\n")
                repository.set_ref(kept_ref(folder.name, name, 0), commit)


def _remove_trees(repository: Repository, folder: Path) -> None:
    for tree in trees_below(repository, folder):
        tree.remove()
    remove_empty(folder)


def _repository(one: Session) -> Repository:
    found = find(one.workspace)
    if found is None:
        raise SessionError(f"{one.workspace} is in no git repository with a commit")
    return found


def _integrated(one: Session) -> str:
    state = one.state()
    if not state.integrated:
        raise SessionError(f"session {one.id} has worked in place: there is nothing to merge")
    return state.integrated
