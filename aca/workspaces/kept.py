"""What attempts left, in worktrees or in place: looked at, brought back, taken back to a checkpoint."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path, PurePosixPath

import msgspec
from msgspec.structs import replace

from aca.core import events as ev
from aca.core.state import SessionState
from aca.errors import SessionError
from aca.plans.plan import profile
from aca.sessions import session
from aca.sessions.session import Session
from aca.sessions.whereabouts import HOME
from aca.workspaces.base import kept_ref
from aca.workspaces.repository import Repository, apart, find

FILES = "files.git"
"""In ``.aca``: the repository for a workspace that is in none."""
REPLACED = "%replaced"
"""Under ``refs/aca/<session>``: what was there before files were brought back; no task is called so."""
INDEX = "index"
"""In ``file_changes`` of a session: the files as it has last seen them in place."""


class Piece(msgspec.Struct, frozen=True):
    """What one attempt left, in *repository*: ``commit`` differs from ``base`` by the task's work."""

    repository: Repository
    number: int
    commit: str
    base: str
    seq: float = inf
    """The event that tells of it; infinite where none does."""


class Restored(msgspec.Struct, frozen=True):
    """Files that were brought back, and the ref under which that is kept which they replaced, if any."""

    paths: list[str]
    replaced: str = ""


def repositories(workspace: Path) -> list[Repository]:
    """Those that may hold what attempts left: the user's, and aca's own."""
    found = (find(workspace), apart(workspace, workspace / HOME / FILES))
    return [one for one in found if one is not None]


# -- which attempt -------------------------------------------------------------------------------------


def piece(one: Session, task_id: str, attempt: int | None = None) -> Piece:
    """What an attempt at a task left, by default the latest that left anything. Raises SessionError."""
    state = one.state()
    found = [made for made in pieces(one, state, [task_id]) if attempt in (None, made.number)]
    if not found:
        which = f"attempt {attempt} at it" if attempt else "an attempt at it"
        raise SessionError(f'nothing is kept of "{task_id}": {which} has changed nothing that is kept')
    return found[-1]


def pieces(one: Session, state: SessionState, tasks: Iterable[str]) -> Iterator[Piece]:
    """From the journal; what was kept after a kill is in no event, but git has it."""
    told = {
        (event.task, event.attempt): event
        for event in one.events()
        if isinstance(event, ev.AttemptEnded) and event.commit
    }
    attempts = [(name, number + 1) for name in tasks for number in range(state.states[name].attempts)]
    for repository in repositories(one.workspace):
        refs = repository.refs(f"refs/aca/{one.id}/")
        for name, number in attempts:
            event, commit = told.get((name, number)), refs.get(kept_ref(one.id, name, number), "")
            if event is not None and (commit or repository.has(event.commit)):
                yield Piece(repository, number, event.commit, event.base, event.seq)
            elif event is None and commit:
                yield Piece(repository, number, commit, _base(repository, state, name, commit))


def _base(repository: Repository, state: SessionState, task_id: str, commit: str) -> str:
    """What a commit that no event tells of differs from by the task's work."""
    if _is_in_place(state, task_id):
        return repository.run("rev-parse", f"{commit}^").strip()
    return repository.base(commit, state.integrated)


def _is_in_place(state: SessionState, task_id: str) -> bool:
    return profile(state.plan, state.tasks[task_id]).workspace == "inplace"


def diff(made: Piece) -> str:
    """The task's work as a patch."""
    return made.repository.diff(made.base, made.commit)


# -- bringing back -------------------------------------------------------------------------------------


def restore(one: Session, made: Piece, *, before: bool, force: bool) -> Restored:
    """Write the files an attempt changed into the workspace, as it left them, or as they were *before*.

    Files with changes that nothing keeps are only replaced with *force*; index and branch stay as they are.
    What is replaced is kept. Raises SessionError.
    """
    source = made.base if before else made.commit
    changes = made.repository.changes(made.base, made.commit)
    wanted = _held(made.repository, source, [change.path for change in changes])
    bringing = _Bringing(one, made.repository, wanted)
    known = [_held(made.repository, commit, [*wanted]) for commit in (made.base, made.commit)]
    if (lost := bringing.lost(known)) and not force:
        raise SessionError(
            f"this would replace changes that are not committed: {_listed(lost)}\n   --force does so"
        )
    return bringing.bring()


def undo(one: Session) -> Restored:
    """Take back what was brought back last, whatever has become of these files; said again, do it again."""
    for repository in repositories(one.workspace):
        refs = repository.refs(f"refs/aca/{one.id}/{REPLACED}")
        if refs:
            number = max(int(ref.rpartition("/")[2]) for ref in refs)
            commit = refs[f"refs/aca/{one.id}/{REPLACED}/{number}"]
            base = repository.run("rev-parse", f"{commit}^").strip()
            return restore(one, Piece(repository, number, commit, base), before=False, force=True)
    raise SessionError(f"nothing was brought back from session {one.id} that could be taken back")


def has_replaced(one: Session) -> bool:
    """Whether files of the user's that were replaced are kept with the session."""
    below = f"refs/aca/{one.id}/{REPLACED}"
    return any(repository.refs(below) for repository in repositories(one.workspace))


def roll_back(one: Session, until: int, *, force: bool) -> Restored:
    """Have the files that attempts changed in place after event *until* be as they were then.

    All others stay as they are. Where somebody has changed one of these files since, that needs *force*.
    What is replaced is kept. Raises SessionError.
    """
    done = Restored([])
    for repository, wanted in _taken_back(one, until):
        bringing = _Bringing(one, repository, wanted)
        if not bringing.different:
            continue
        if running := [other.id for other in session.listing(one.workspace) if other.is_running()]:
            raise SessionError(f"session {running[0]} is at work on these files\n   {_KEEP}")
        if (lost := bringing.lost()) and not force:
            how = "--roll-back replaces them and keeps what is there; "
            raise SessionError(f"changed since the session worked here: {_listed(lost)}\n   {how}{_KEEP}")
        brought = bringing.bring()
        done = Restored([*done.paths, *brought.paths], brought.replaced)
    return done


_NOTHING = f"0 {'0' * 40}"
_KEEP = "--keep-files goes on with the files as they are"


def _taken_back(one: Session, until: int) -> Iterator[tuple[Repository, dict[str, str]]]:
    """Repository, and of each file that changed after *until* what it held then."""
    state = one.state()
    here = [name for name in state.tasks if _is_in_place(state, name)]
    later = [made for made in pieces(one, state, here) if made.seq > until]
    for repository in {made.repository for made in later}:
        wanted: dict[str, str] = {}
        for made in sorted(later, key=lambda made: made.seq):
            if made.repository == repository:
                paths = [change.path for change in repository.changes(made.base, made.commit)]
                wanted = _held(repository, made.base, paths) | wanted
        yield repository, wanted


def hold(one: Session) -> None:
    """Have git keep what the past of a fork left, though the session it comes from is removed."""
    kept = {
        kept_ref(one.id, event.task, event.attempt): event.commit
        for event in one.events()
        if isinstance(event, ev.AttemptEnded) and event.commit
    }
    for repository in repositories(one.workspace) if kept else ():
        here = repository.having(set(kept.values()))
        repository.set_refs({ref: commit for ref, commit in kept.items() if commit in here})


# -- writing files -------------------------------------------------------------------------------------


def _held(repository: Repository, commit: str, paths: Sequence[str]) -> dict[str, str]:
    """What *commit* has at each of *paths*: mode and object, empty where there is nothing."""
    return dict.fromkeys(paths, "") | repository.held(commit, paths)


class _Bringing:
    """Files to be written into the workspace: ``wanted`` says what each is to hold, empty meaning none."""

    def __init__(self, one: Session, repository: Repository, wanted: Mapping[str, str]) -> None:
        self.session, self.repository = one, replace(repository, session=one.id)
        wanted = {**_in_the_way(repository.top, wanted), **wanted}
        gone = [path for path, held in wanted.items() if not held]
        for path in wanted:
            _refuse_link(repository.top, path, gone)
        now = self._on_disk(wanted)
        self.different = {path: held for path, held in wanted.items() if held != now[path]}
        self.now = {path: now[path] for path in self.different}

    def lost(self, known: Collection[Mapping[str, str]] = ()) -> list[str]:
        """The files that hold what nobody has kept: neither git, nor the session, nor *known*."""
        seen = self._last_seen()
        candidates = [path for path, held in self.now.items() if held]
        strange = [
            path for path in candidates if not any(one.get(path) == self.now[path] for one in (seen, *known))
        ]
        return strange if self.repository.apart else self.repository.uncommitted(strange)

    def bring(self) -> Restored:
        """Write them; first that is kept which they replace. Raises SessionError."""
        gone = [path for path, held in self.different.items() if not held]
        for path in self.different:
            _refuse_directory(self.repository.top, path, self.different)
        ref = self._keep_replaced()
        for path in gone:
            with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
                (self.repository.top / path).unlink()
        with self._index(self.different) as index:
            self.repository.here(
                "-C", str(self.repository.top), "checkout-index", "--all", "--force", index=index
            )
        self._note()
        return Restored([*self.different], ref)

    def _keep_replaced(self) -> str:
        """The ref of what is there now, which its parent differs from by what is to be there."""
        if not self.different:
            return ""
        trees = []
        for entries in (self.different, self.now):
            with self._index(entries) as index:
                trees.append(self.repository.here("write-tree", index=index).strip())
        after = self.repository.commit(trees[0], (), "What was brought back\n")
        commit = self.repository.commit(trees[1], [after], "What was there before\n")
        below = f"refs/aca/{self.session.id}/{REPLACED}"
        numbers = [int(ref.rpartition("/")[2]) for ref in self.repository.refs(below)]
        ref = f"{below}/{max(numbers, default=0) + 1}"
        self.repository.set_ref(ref, commit)
        return ref

    def _note(self) -> None:
        """What was brought back is what the session has left: to replace it again loses nothing."""
        if self._file.exists() and not self.session.is_running():
            self._write_index(self._file, self.different)

    # -- indexes --------------------------------------------------------------------------------------

    @property
    def _file(self) -> Path:
        return self.session.path / "file_changes" / INDEX

    @contextmanager
    def _index(self, entries: Mapping[str, str]) -> Iterator[Path]:
        """An index of its own that holds just *entries*."""
        index = self.session.path / "file_changes" / f"{INDEX}.{os.getpid()}"
        index.unlink(missing_ok=True)  # of a process that had our number and was killed
        try:
            self._write_index(index, entries)
            yield index
        finally:
            index.unlink(missing_ok=True)

    def _write_index(self, index: Path, entries: Mapping[str, str]) -> None:
        lines = (f"{held or _NOTHING}\t{path}\0" for path, held in entries.items())
        told = sorted(lines, key=lambda line: not line.startswith("0 "))  # what makes room comes first
        self.repository.here("update-index", "-z", "--index-info", stdin="".join(told), index=index)

    def _on_disk(self, paths: Collection[str]) -> dict[str, str]:
        """What is there now at each of *paths*, with its content in git from then on."""
        top = self.repository.top
        files = [path for path in paths if not _link_above(top, path) and _is_file(top / path)]
        with self._index({}) as index:
            told = "".join(f"{path}\0" for path in files)
            self.repository.here(
                "-C", str(top), "update-index", "--add", "-z", "--stdin", stdin=told, index=index
            )
            return dict.fromkeys(paths, "") | self._entries(index, files)

    def _last_seen(self) -> dict[str, str]:
        """What the session has left at each of the files, in place."""
        return self._entries(self._file, [*self.different]) if self._file.exists() else {}

    def _entries(self, index: Path, paths: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        said = self.repository.here("-C", str(self.repository.top), "ls-files", "-s", "-z", index=index)
        for line in said.split("\0")[:-1]:
            held, _, path = line.partition("\t")
            found[path] = held.rpartition(" ")[0]
        return {path: found[path] for path in paths if path in found}


def _in_the_way(top: Path, wanted: Mapping[str, str]) -> dict[str, str]:
    """Files where a directory is to be for what is *wanted*: they have to go, and are kept as all others."""
    needed = {parent for path, held in wanted.items() if held for parent in PurePosixPath(path).parents}
    files = (str(parent) for parent in needed if (top / parent).is_file())
    return {path: "" for path in files if not (top / path).is_symlink()}


def _is_file(path: Path) -> bool:
    return path.is_symlink() or path.is_file()


def _link_above(top: Path, path: str) -> str:
    """The link that *path* would lead through; empty where there is none."""
    above = list(PurePosixPath(path).parents)[-2::-1]  # from the outside in, without the top itself
    return next((str(parent) for parent in above if (top / parent).is_symlink()), "")


def _refuse_link(top: Path, path: str, gone: Collection[str]) -> None:
    """Raises SessionError where a link that stays is on the way to *path*."""
    link = _link_above(top, path)
    if link and link not in gone:
        raise SessionError(f"{link} is a link: {path} would be somewhere else\n   remove the link first")


def _refuse_directory(top: Path, path: str, wanted: Mapping[str, str]) -> None:
    """Raises SessionError where a directory with other files in it is in the place of the file *path*."""
    place = top / path
    if not wanted[path] or place.is_symlink() or not place.is_dir():
        return
    inside = (Path(folder, name) for folder, _, names in os.walk(place) for name in names)
    others = [str(file.relative_to(top)) for file in inside if str(file.relative_to(top)) not in wanted]
    if others:
        raise SessionError(
            f"{path} is a directory here, with other files in it: {_listed(others)}\n   move them away first"
        )


def _listed(paths: Sequence[str]) -> str:
    return ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
