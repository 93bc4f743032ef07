"""One worktree on the disk: made, set to a commit, taken down as a commit, removed.

What belongs to it lies in git's own directory for it (``.git/worktrees/<name>``): the commit it started
from, and what its setup left that is nobody's work. Both go when it goes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from aca.safety.place import PRIVATE
from aca.walk import mark
from aca.workspaces.base import TreeError
from aca.workspaces.git import GitError, git
from aca.workspaces.quarantine import absorb
from aca.workspaces.repository import Repository
from aca.workspaces.snapshots import REBUILT
from aca.workspaces.submodules import Submodule

_START = "aca-start"
_SPARED = "aca-spared"
_IGNORED = "aca-ignored"
_INSIDE = "aca-inside"
_INDEX = "aca-index"
_AS_FILE = f"100644 {'1' * 40}"
_AS_REPOSITORY = f"160000 {'1' * 40}"
_NESTED = "{} is a git repository of its own, which cannot be kept as files: remove {}/.git, or ignore {}"
_UNREACHABLE = (
    "the commit that the submodule {} shows is nowhere else: push it first, or set the submodule back"
)


class Tree(msgspec.Struct, frozen=True):
    """A worktree of *repository* at *path*, whether it is there or not."""

    repository: Repository
    path: Path

    # -- what is there ------------------------------------------------------------------------------

    def admin(self) -> Path | None:
        """git's directory for it. None where there is no such worktree, or what says so is not sound."""
        name = str(self.path / ".git")
        for folder in self._candidates():
            if _line(folder / "gitdir") == name:
                return folder
        return None

    def _candidates(self) -> Iterator[Path]:
        """Those of all worktrees, the most likely one first: tasks can write to the file in the tree."""
        all_of_them = self.repository.common / "worktrees"
        named = Path(_line(self.path / ".git").removeprefix("gitdir: "))
        if named.parent == all_of_them:
            yield named
        yield from all_of_them.glob("*")

    def start(self) -> str:
        """The commit it started from; empty where it is not there, or was not set up to its end."""
        admin = self.admin()
        if admin is None or not self._is_there() or not (admin / _SPARED).exists():
            return ""
        return _line(admin / _START)

    def _is_there(self) -> bool:
        """Whether there is a directory, and not a link that a task has put in its place."""
        return self.path.is_dir() and not self.path.is_symlink()

    # -- changing it --------------------------------------------------------------------------------

    def make(self, commit: str) -> bool:
        """Have it hold *commit* and nothing else; what git ignores may stay. True when it is new."""
        if self.start():
            with suppress(GitError):
                self._reset(commit)
                return False
        self.remove()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.repository.run("worktree", "add", "--force", "--detach", str(self.path), commit)
        self._note_start(commit)
        return True

    def _reset(self, commit: str) -> None:
        """A lock that is there was left by a process that was killed: nobody else works in here."""
        (self._own / "index.lock").unlink(missing_ok=True)
        self._run("checkout", "--quiet", "--force", "--detach", commit)
        self._clean()
        self._note_start(commit)

    def _note_start(self, commit: str) -> None:
        (self._own / _START).write_text(commit, encoding="ascii")

    def settle(self) -> None:
        """From now on, what is there and not in git counts as nobody's work, as long as it stays so."""
        self._note_marks(_IGNORED, self._ignored())
        self._note_marks(_INSIDE, (name for link in self._submodules() for name in link.files()))
        self._note_marks(_SPARED, self._others())  # last: then it is set up

    def _note_marks(self, file: str, names: Iterable[str]) -> None:
        marks = "".join(f"{self._mark(name)} {name}\0" for name in names)
        (self._own / file).write_bytes(os.fsencode(marks))

    def _clean(self) -> None:
        """Remove what is not in git but what was set up. Raises GitError where that is not as it was."""
        spared, others = self._marks(_SPARED), set(self._others())
        for name, was in spared.items():
            now = self._mark(name)
            if not now or (name in others and now != was):
                raise GitError(f"{name} is not as it was set up")
        known = (
            f"{_AS_REPOSITORY if name.endswith('/') else _AS_FILE}\t{name.rstrip('/')}\0"
            for name in spared
            if name in others
        )
        with self._scratch() as index:  # what is in the index, git spares
            self._run("update-index", "-z", "--index-info", stdin="".join(known), index=index)
            self._run("clean", "-ffdq", index=index)

    def remove(self) -> None:
        """Remove it, and all that git knows of it."""
        admin = self.admin()
        for folder in (self.path, admin):
            if folder is not None:
                _erase(folder)

    # -- taking it down -----------------------------------------------------------------------------

    def commit(self, start: str, message: str) -> str:
        """A commit of what is there now, what git ignores left out. Raises TreeError.

        Its parents are *start* and, where the task has made commits itself, the last of those.
        """
        try:
            absorb(self.repository, self._own)
            tree, head = self._snapshot(), self._run("rev-parse", "--verify", "HEAD^{commit}").strip()
        except GitError as error:
            raise TreeError(f"what the task left in {self.path} cannot be kept: {error}") from None
        for name, is_new in self.repository.links(start, tree):
            if is_new:
                raise TreeError(_NESTED.format(name, name, name))
            if not self._submodule(name).is_elsewhere():
                raise TreeError(_UNREACHABLE.format(name))
        if head == start and tree == self.repository.tree(start):
            return start
        return self.repository.commit(tree, [start, head], message)

    def unkept(self) -> str:
        """A submodule with work in it that is in no commit; empty where there is none."""
        before = self._marks(_INSIDE)
        for link in self._submodules():
            inside = {name: was for name, was in before.items() if name.startswith(f"{link.name}/")}
            if link.has_unkept(inside):
                return link.name
        return ""

    def _submodules(self) -> list[Submodule]:
        """Those that are there. What has no list of them has none that could be filled."""
        names = self._links() if (self.path / ".gitmodules").exists() else ()
        links = map(self._submodule, names)
        return [
            one
            for one in links
            if (self.path / one.name).is_dir() and not (self.path / one.name).is_symlink()
        ]

    def _submodule(self, name: str) -> Submodule:
        return Submodule(self.path, name, self.repository.marks)

    def _snapshot(self) -> str:
        """The tree of all files but those that were set up and are as they were."""
        with self._scratch() as index:
            apart = self._links(index)
            known = (
                ":/",
                f":(top,exclude,glob)**/{PRIVATE}/**",
                *map(":(top,exclude,literal){}".format, apart),
            )
            self._run(
                "add",
                "--update",
                "--pathspec-from-file=-",
                "--pathspec-file-nul",
                stdin="\0".join(known),
                index=index,
            )
            new = "".join(f"{name}\0" for name in (*apart, *self._new(index)))
            self._run("update-index", "--add", "--remove", "-z", "--stdin", stdin=new, index=index)
            # An agent that commits everything commits what was set up, too.
            kept_out = "".join(
                f"{name}\0" for name, mark in self._marks(_SPARED).items() if mark == self._mark(name)
            )
            self._run("update-index", "--force-remove", "-z", "--stdin", stdin=kept_out, index=index)
            return self._run("write-tree", index=index).strip()

    def _links(self, index: Path | None = None) -> list[str]:
        """The submodules. ``git add`` would look into them with settings that an agent may have written."""
        entries = self._run("ls-files", "--stage", "-z", index=index).split("\0")[:-1]
        links = (entry.partition("\t")[2] for entry in entries if entry.startswith("160000 "))
        return list(dict.fromkeys(links))

    def _new(self, index: Path) -> Iterator[str]:
        """The files that are the task's work and not in *index* yet. Raises TreeError."""
        spared = self._marks(_SPARED)
        for name in self._others(index):
            if spared.get(name) == self._mark(name) or PRIVATE in name.split("/"):
                continue
            if name.endswith("/"):
                raise TreeError(_NESTED.format(*[name.rstrip("/")] * 3))
            yield name

    def _others(self, index: Path | None = None) -> list[str]:
        """Every file that is neither in the index nor ignored; of a repository in here its name and ``/``."""
        return self._run("ls-files", "-o", "-z", "--exclude-standard", index=index).split("\0")[:-1]

    def lost(self) -> list[str]:
        """What was written since it was set up and git ignores; what tools make anew is no loss."""
        before = self._marks(_IGNORED)
        found = (name for name in self._ignored() if REBUILT.isdisjoint(name.split("/")))
        return [
            name for name in found if PRIVATE not in name.split("/") and before.get(name) != self._mark(name)
        ]

    def _ignored(self) -> list[str]:
        """Every file that git ignores; of a directory that is ignored whole its name and ``/``."""
        return self._run("ls-files", "-oi", "-z", "--exclude-standard", "--directory").split("\0")[:-1]

    def _mark(self, name: str) -> str:
        """What tells whether a file is as it was; empty where there is none."""
        if name.endswith("/"):
            return "repository"
        return mark(self.path / name)

    def _marks(self, file: str) -> dict[str, str]:
        """What was set up: names and marks."""
        with suppress(OSError):
            entries = os.fsdecode((self._own / file).read_bytes()).split("\0")[:-1]
            return {name: mark for mark, _, name in (entry.partition(" ") for entry in entries)}
        return {}

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        """An index of our own: the task's stays as it is."""
        index = self._own / _INDEX
        try:
            if (self._own / "index").exists():
                shutil.copy2(self._own / "index", index)  # what has not changed since its time is not read
            yield index
        finally:
            index.unlink(missing_ok=True)

    @property
    def _own(self) -> Path:
        admin = self.admin()
        if admin is None:
            raise GitError(f"{self.path} is no worktree any more")
        return admin

    def _run(self, *arguments: str, stdin: str = "", index: Path | None = None) -> str:
        """git in this tree, whatever the file ``.git`` in it says by now."""
        where = (f"--git-dir={self._own}", f"--work-tree={self.path}")
        if not self._is_there():
            raise GitError(f"{self.path} is gone")
        env = self.repository.marks | ({"GIT_INDEX_FILE": str(index)} if index else {})
        return git(*where, *arguments, cwd=self.path, stdin=stdin, env=env)[1]


def trees_below(repository: Repository, folder: Path) -> list[Tree]:
    """All that is in *folder*, and what git takes to be there."""
    found = {*(folder.iterdir() if folder.is_dir() else ())}
    for file in (repository.common / "worktrees").glob("*/gitdir"):
        found |= {path for path in [Path(_line(file)).parent] if path.parent == folder}
    return [Tree(repository, path) for path in sorted(found)]


def copy_into(tree: Path, workspace: Path, patterns: Iterable[str]) -> None:
    """Copy what fits *patterns* in the workspace to the same places in *tree*, where nothing is yet."""
    for source in (found for pattern in patterns for found in sorted(workspace.glob(pattern))):
        place = source.relative_to(workspace)
        target = tree / place
        if {PRIVATE, ".git"} & {*place.parts} or target.exists() or target.is_symlink():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy(source, target, workspace.resolve())


def _copy(source: Path, target: Path, workspace: Path) -> None:
    """Copy without what is git's or aca's. A link that would lead elsewhere from *target* is its target."""
    if source.name in (PRIVATE, ".git"):
        return
    if source.is_symlink() and _leads_out(source, workspace):
        source = source.resolve()
    if source.is_symlink() or not source.is_dir():
        shutil.copy2(source, target, follow_symlinks=False)
        return
    target.mkdir(exist_ok=True)
    for inner in sorted(source.iterdir()):
        _copy(inner, target / inner.name, workspace)


def _leads_out(link: Path, workspace: Path) -> bool:
    """Whether it is relative and leads to something outside."""
    is_relative = link.exists() and not link.readlink().is_absolute()
    return is_relative and not link.resolve().is_relative_to(workspace)


def _line(file: Path) -> str:
    """The only line of *file*; empty where it cannot be read."""
    if not file.is_file():  # at a pipe one would wait for ever
        return ""
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape").rstrip("\n")
    except OSError:
        return ""


def _erase(folder: Path) -> None:
    """Remove *folder*, directories that were made read-only too; of a link or a file, just that."""
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink(missing_ok=True)
        return
    with suppress(OSError):
        shutil.rmtree(folder)
        return
    for inner, names, _ in os.walk(folder):
        for name in names:
            with suppress(OSError):
                (Path(inner) / name).chmod(0o700)
    shutil.rmtree(folder)
