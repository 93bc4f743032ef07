"""What aca asks of a git repository and does to it: commits, refs, merges, the user's working tree."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec

from aca.core.events import FileChange
from aca.workspaces.git import GitError, git

_AS_IT_IS = "* -text -ident -filter -working-tree-encoding\n"
"""Attributes of a repository of aca's own, before all others: files are kept byte by byte."""
IDENTITY = {
    "GIT_AUTHOR_NAME": "aca",
    "GIT_AUTHOR_EMAIL": "aca@localhost",
    "GIT_COMMITTER_NAME": "aca",
    "GIT_COMMITTER_EMAIL": "aca@localhost",
}
_ACTIONS: dict[str, Literal["created", "modified", "deleted"]] = {"A": "created", "D": "deleted"}
_DIFFER = ("diff-tree", "-r", "-z", "--raw")
_AS_TEXT = ("--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/")
_BEGUN = {
    "merge": "MERGE_HEAD",
    "cherry-pick": "CHERRY_PICK_HEAD",
    "revert": "REVERT_HEAD",
    "rebase": "rebase-merge",
    "rebase or am": "rebase-apply",
}
"""What may be under way in a working tree -> the file in git's directory that says so."""
_AT_ONCE = 500
"""How many paths are given to one call: command lines have a limit."""


class Joined(msgspec.Struct, frozen=True):
    """What came of merging two commits: a tree, in which files that conflict hold both sides."""

    tree: str
    conflicts: tuple[str, ...] = ()
    """Paths from the top of the repository."""
    told: str = ""
    """What git says of the conflicts."""


class Difference(msgspec.Struct, frozen=True):
    """What one commit or tree has that another has not so."""

    entries: tuple[tuple[FileChange, str], ...]
    """Each change, by its path from the top, with what ``update-index --index-info`` takes for it."""
    patch: str
    """For people and for ``git apply``."""

    @property
    def changes(self) -> tuple[FileChange, ...]:
        """The changes alone."""
        return tuple(change for change, _ in self.entries)


class Repository(msgspec.Struct, frozen=True, dict=True):
    """The repository a workspace is in."""

    workspace: Path
    top: Path
    """The root of the working tree that ``workspace`` is in."""
    common: Path
    """The ``.git`` directory that all worktrees share."""
    prefix: str
    """From ``top`` to ``workspace``, ending in ``/``; empty where they are the same."""
    session: str = ""
    """For which session git is called: after a kill, what still runs for it is found by that and ended."""
    apart: bool = False
    """It is aca's own, for a workspace that is in none: its working tree knows nothing of it."""

    @property
    def marks(self) -> dict[str, str]:
        """What is in the environment of every call."""
        return {"ACA_SESSION": self.session} if self.session else {}

    def run(self, *arguments: str, accept: Sequence[int] = (0,), stdin: str = "") -> str:
        """git in the repository itself, without any working tree. Raises GitError."""
        where = f"--git-dir={self.common}"
        return git(where, *arguments, cwd=self.common, accept=accept, stdin=stdin, env=self.marks)[1]

    def here(
        self,
        *arguments: str,
        stdin: str = "",
        index: Path | None = None,
        fallback: Mapping[str, str] | None = None,
        accept: Sequence[int] = (0,),
    ) -> str:
        """git in the user's own working tree, by them or, where git knows no name, as *fallback* says.

        With *index*, this file is what git takes for its index, and the user's own stays as it is.
        """
        where = (f"--git-dir={self.common}", f"--work-tree={self.top}") if self.apart else ()
        env = dict(fallback) if fallback and self._knows_nobody() else {}
        env |= self.marks | ({"GIT_INDEX_FILE": str(index), "GIT_OPTIONAL_LOCKS": "1"} if index else {})
        return git(*where, *arguments, cwd=self.workspace, stdin=stdin, env=env, accept=accept)[1]

    def _knows_nobody(self) -> bool:
        return git("var", "GIT_COMMITTER_IDENT", cwd=self.workspace, accept=(0, 128))[0] != 0

    # -- the user's own working tree ------------------------------------------------------------------

    def branch(self) -> str:
        """The branch that is checked out; empty where it is none."""
        return self.here("branch", "--show-current").strip()

    def is_dirty(self, *, untracked: bool = True) -> bool:
        """Whether something is not committed."""
        return bool(
            self.here("status", "--porcelain", "-z", f"--untracked-files={'all' if untracked else 'no'}")
        )

    def ignores(self, directory: str) -> bool:
        """Whether nothing below *directory* (from the workspace) is for commits."""
        inside = f"{directory.rstrip('/')}/any"
        return git("check-ignore", "-q", "--", inside, cwd=self.workspace, accept=(0, 1, 128))[0] == 0

    def under_way(self) -> str:
        """What somebody has begun here and neither finished nor aborted; empty where it is nothing."""
        for name, file in _BEGUN.items():
            if Path(self.here("rev-parse", "--path-format=absolute", "--git-path", file).strip()).exists():
                return name
        return ""

    def uncommitted(self, paths: Sequence[str]) -> list[str]:
        """Those of *paths* (from the top) that are not as they are in the last commit, or in none."""
        found: list[str] = []
        for first in range(0, len(paths), _AT_ONCE):
            some = [f":(top,literal){path}" for path in paths[first : first + _AT_ONCE]]
            said = self.here("status", "--porcelain", "-z", "--no-renames", "-uall", "--ignored", "--", *some)
            found += [entry[3:] for entry in said.split("\0") if entry]
        return found

    # -- commits ------------------------------------------------------------------------------------

    @cached_property
    def head(self) -> str:
        """The commit that is checked out in the workspace."""
        return self.here("rev-parse", "--verify", "HEAD^{commit}").strip()

    def has(self, commit: str) -> bool:
        arguments = ("cat-file", "-e", f"{commit}^{{commit}}")
        code, _ = git(f"--git-dir={self.common}", *arguments, cwd=self.common, accept=(0, 1, 128))
        return bool(commit) and code == 0

    def having(self, commits: Iterable[str]) -> set[str]:
        """Those of *commits* that are here."""
        said = self.run("cat-file", "--batch-check", stdin="".join(f"{commit}\n" for commit in commits))
        return {line.split(" ")[0] for line in said.splitlines() if line.split(" ")[1] == "commit"}

    def tree(self, commit: str) -> str:
        return self.run("rev-parse", "--verify", f"{commit}^{{tree}}").strip()

    def commit(self, tree: str, parents: Iterable[str], message: str) -> str:
        """A new commit by aca, on no branch. Of *message* is kept what can stand in one."""
        message = message.replace("\0", " ").encode("utf-8", "replace").decode()
        arguments = [word for parent in dict.fromkeys(parents) for word in ("-p", parent)]
        arguments = [f"--git-dir={self.common}", "commit-tree", tree, *arguments]
        return git(*arguments, cwd=self.common, stdin=message, env={**IDENTITY, **self.marks})[1].strip()

    def base(self, one: str, other: str) -> str:
        """The newest commit that both have in them. Raises GitError where there is none."""
        return self.run("merge-base", one, other).strip()

    def contains(self, commit: str, older: str) -> bool:
        """Whether *commit* has *older* in its past."""
        arguments = ("merge-base", "--is-ancestor", older, commit)
        return git(f"--git-dir={self.common}", *arguments, cwd=self.common, accept=(0, 1))[0] == 0

    def join(self, ours: str, theirs: str) -> Joined:
        """Merge *theirs* into *ours*, in memory."""
        arguments = ("merge-tree", "--write-tree", "-z", "--name-only", "--messages", ours, theirs)
        said = self.run(*arguments, accept=(0, 1))
        tree, *rest = said.split("\0")
        end = rest.index("")
        return Joined(tree, tuple(rest[:end]), _told(rest[end + 1 :]))

    def moved(self, old: str, new: str, onto: str) -> Joined:
        """What differs from *old* to *new*, done to *onto*, in memory: for git, from a past made for it."""
        past = self.commit(self.tree(old), (), "Before\n")
        ours, theirs = (self.commit(self.tree(one), [past], "After\n") for one in (onto, new))
        return self.join(ours, theirs)

    def changes(self, old: str, new: str) -> tuple[FileChange, ...]:
        """What differs between two commits or trees, by paths from the top of the repository."""
        return tuple(change for change, _ in _entries(self.run(*_DIFFER, "--no-renames", old, new)))

    def difference(self, old: str, new: str) -> Difference:
        """The same with the patch: in one call, for every attempt makes it."""
        said = self.run(*_DIFFER, "--find-renames", "--patch", "--binary", *_AS_TEXT, old, new)
        raw, _, patch = said.partition("\0\0")
        return Difference(tuple(_entries(raw)), patch)

    def held(self, commit: str, paths: Sequence[str]) -> dict[str, str]:
        """Mode and object of those of *paths* (from the top) that *commit* has."""
        found: dict[str, str] = {}
        for first in range(0, len(paths), _AT_ONCE):
            some = [f":(top,literal){path}" for path in paths[first : first + _AT_ONCE]]
            said = self.run("ls-tree", "-z", "--full-tree", commit, "--", *some)
            for line in said.split("\0")[:-1]:
                what, _, path = line.partition("\t")
                mode, kind, name = what.split(" ")
                if kind == "blob":
                    found[path] = f"{mode} {name}"
        return found

    def links(self, old: str, new: str) -> list[tuple[str, bool]]:
        """The submodules that *new* has and *old* has not so: path, and whether it was none before."""
        fields = self.run(*_DIFFER, "--no-renames", old, new).split("\0")[:-1]
        pairs = zip(fields[::2], fields[1::2], strict=True)
        return [
            (path, not said.startswith(":160000")) for said, path in pairs if said.split(" ")[1] == "160000"
        ]

    def diff(self, old: str, new: str, paths: Iterable[str] = ()) -> str:
        """The patch from one commit to the other, for people and for ``git apply``."""
        wanted = [f":(top,literal){path}" for path in paths]
        return self.run("diff", "--binary", *_AS_TEXT, old, new, "--", *wanted)

    def holding(self, pattern: str, commit: str, paths: Sequence[str]) -> set[str]:
        """Those of *paths* that have a line which fits *pattern* (extended regular expression)."""
        found: set[str] = set()
        for first in range(0, len(paths), _AT_ONCE):
            some = [f":(top,literal){path}" for path in paths[first : first + _AT_ONCE]]
            said = self.run("grep", "-lzIE", pattern, commit, "--", *some, accept=(0, 1))
            found |= {name.removeprefix(f"{commit}:") for name in said.split("\0")[:-1]}
        return found

    def trailers(self, old: str, new: str, key: str, paths: Iterable[str] = ()) -> list[str]:
        """What the commits from *old* to *new* say under *key*, oldest first; only of those about *paths*."""
        wanted = [f":(top,literal){path}" for path in paths]
        format_ = f"--format=%(trailers:key={key},valueonly,separator=%x00)"
        said = self.run("log", "--reverse", format_, f"{old}..{new}", "--", *wanted)
        return list(dict.fromkeys(line for line in said.splitlines() if line))

    def since(self, old: str, new: str, key: str) -> dict[str, str]:
        """The commits from *old* to *new*, oldest first, with what each says under *key*."""
        format_ = f"--format=%H %(trailers:key={key},valueonly,separator=%x20)"
        said = self.run("log", "--reverse", "--first-parent", format_, f"{old}..{new}")
        return dict(line.split(" ", 1) for line in said.splitlines())

    # -- refs ---------------------------------------------------------------------------------------

    def refs(self, *below: str) -> dict[str, str]:
        """Ref -> commit of everything whose name is, or begins with a directory, of *below*."""
        said = self.run("for-each-ref", "--format=%(refname) %(objectname)", *below)
        return dict(line.rsplit(" ", 1) for line in said.splitlines())

    def is_checked_out(self, branch: str) -> bool:
        """Whether the branch (its whole name) is what some worktree shows."""
        return bool(self.run("for-each-ref", "--format=%(worktreepath)", branch).strip())

    def set_ref(self, name: str, commit: str, old: str | None = None) -> None:
        """Have *name* be *commit*; with *old*, only where it is that now, or, being empty, is not there."""
        self.run("update-ref", "--no-deref", name, commit, *(() if old is None else (old,)))

    def set_refs(self, refs: Mapping[str, str]) -> None:
        """Have each ref be what *refs* says, all of them or none."""
        told = "".join(f"update {name}\0{commit}\0\0" for name, commit in refs.items())
        self.run("update-ref", "--stdin", "-z", stdin=told)

    def delete_refs(self, names: Iterable[str]) -> None:
        self.run("update-ref", "--stdin", "-z", stdin="".join(f"delete {name}\0\0" for name in names))


def _entries(raw: str) -> list[tuple[FileChange, str]]:
    """What ``diff-tree -z --raw`` says, by paths; what was renamed is gone here and new there."""
    found, fields = [], iter(raw.rstrip("\0").split("\0") if raw else ())
    for said in fields:
        _, mode, _, name, status = said.split(" ")
        path = next(fields)
        if status.startswith("R"):
            found.append((FileChange(path, "deleted"), f"{0:06} {'0' * len(name)}"))
            path, status = next(fields), "A"
        found.append((FileChange(path, _ACTIONS.get(status, "modified")), f"{mode} {name}"))
    return sorted(found, key=lambda entry: entry[0].path)


def _told(fields: Sequence[str]) -> str:
    """The conflicts among what ``merge-tree -z`` says: count, paths, kind, text, and again."""
    told, place = [], 0
    while place < len(fields) and fields[place].isdigit():
        place += int(fields[place]) + 1
        kind, text = fields[place : place + 2]
        told += [text.strip()] if kind.startswith("CONFLICT") else []
        place += 2
    return "\n".join(told)


def find(workspace: Path) -> Repository | None:
    """The repository with a commit that has *workspace* in it; None where there is none that can be used.

    A directory that the repository knows nothing of (ignored, or not committed yet) is not in it.
    """
    if not _is_below_one(workspace):
        return None  # git would look for the same, and takes longer
    arguments = (
        "rev-parse",
        "--path-format=absolute",
        "--show-toplevel",
        "--git-common-dir",
        "--show-prefix",
    )
    try:
        top, common, prefix, *_ = (*git(*arguments, cwd=workspace)[1].split("\n"), "")
        found = Repository(workspace, Path(top), Path(common), prefix)
        known = found.here("rev-parse", "--verify", f"HEAD:{prefix.rstrip('/')}")
    except (GitError, ValueError):
        return None
    return found if known else None


def refusal(workspace: Path) -> tuple[str, str]:
    """Why git will not use the repository that *workspace* is in, and the command it names as a cure.

    Both are empty where there is none, or nothing is wrong with it.
    """
    if not _is_below_one(workspace):
        return "", ""
    try:
        git("rev-parse", "--show-toplevel", cwd=workspace)
    except GitError as error:
        first, *more = (line.strip() for line in str(error).splitlines() if line.strip())
        why = first.partition("fatal: ")[2] or first
        return why, next((line for line in more if line.startswith("git ")), "")
    return "", ""


def _is_below_one(workspace: Path) -> bool:
    at = workspace.resolve()
    return any(os.path.lexists(place / ".git") for place in (at, *at.parents))


def apart(workspace: Path, common: Path, *, make: bool = False) -> Repository | None:
    """The repository *common* that aca has for a *workspace* which is in none; None where there is none.

    With *make* it is made when missing. Raises GitError.
    """
    if not (common / "HEAD").exists():
        if not make:
            return None
        (common / "info").mkdir(parents=True, exist_ok=True)
        (common / "info" / "attributes").write_text(_AS_IT_IS)
        git("init", "--quiet", "--bare", "--template=", str(common), cwd=workspace)
    return Repository(workspace, workspace, common, "", apart=True)
