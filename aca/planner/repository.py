"""A compact map of the repository: which files there are, how large, and how the important ones begin.

Files whose names say that they hold secrets are not in it, and neither is what git ignores.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import msgspec

from aca.plans.plan import SCHEMA_ID
from aca.preparation import schemas
from aca.safety.place import PRIVATE
from aca.workspaces import git
from aca.workspaces.git import GitError

MOST_CHARS = 20_000
"""Of the names of files: about 5,000 tokens."""
MOST_FOLDERS = 400
MOST_FILES = 100_000
MOST_KEY_FILES = 4
HEAD_CHARS = 2000
"""Of each key file."""
KEY_FILES = (
    *("README*", "pyproject.toml", "package.json", "Cargo.toml", "go.mod", "pom.xml", "build.gradle*"),
    *("Gemfile", "composer.json", "CMakeLists.txt", "Makefile", "requirements.txt"),
)
"""What tells most of a project, the first first."""
_DATA = ("", ".json", ".y*ml", ".toml", ".ini", ".txt", ".csv", ".xml")
SECRETIVE = (
    *(".env", ".env.*", "*.env", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", ".netrc", ".npmrc", ".pypirc", ".htpasswd"),
    *(f"*{word}{end}" for word in ("secret", "secrets", "credential", "credentials") for end in _DATA),
)
"""Names of files that nobody is to be told of."""
_SKIPPED = {".git", PRIVATE, "node_modules", "__pycache__", ".venv", "venv", "target", "dist", "build"}
"""Directories that are passed over where git does not say what counts."""
_PLANS = (SCHEMA_ID.encode(), f"{PRIVATE}/{schemas.FILE}".encode())
"""What a plan of aca says of itself at its beginning."""


class Repository(msgspec.Struct, frozen=True):
    """The files of a workspace that a planner may know of, as relative paths."""

    root: Path
    files: tuple[str, ...]

    def map(self) -> str:
        """What is there, in Markdown. Sizes are rough, so that a small edit makes no other map."""
        if not self.files:
            return "The workspace is empty."
        said = [f"{len(self.files)} files; {_kinds(self.files)}", self._listing(), *self._heads()]
        return "\n\n".join(said)

    def _listing(self) -> str:
        """A line for each directory with what is in it; where that is too much, the fullest are counted."""
        folders = self._folders()
        lines = {name: f"- {name}/: {', '.join(inside)}" for name, inside in folders.items()}
        length = sum(map(len, lines.values()))
        for name in sorted(lines, key=lambda name: -len(lines[name])):
            if length <= MOST_CHARS:
                break
            short = f"- {name}/: {len(folders[name])} files"
            length -= len(lines[name]) - len(short)
            lines[name] = short
        shallow = sorted(lines, key=lambda name: (name.count("/"), name))[:MOST_FOLDERS]
        more = [f"- and {len(lines) - len(shallow)} more directories"] if len(shallow) < len(lines) else []
        return "\n".join([*(lines[name] for name in sorted(shallow)), *more])

    def _folders(self) -> dict[str, list[str]]:
        folders: dict[str, list[str]] = {}
        for name in self.files:
            path = PurePosixPath(name)
            folders.setdefault(str(path.parent), []).append(f"{path.name}{_rough_size(self.root / name)}")
        return folders

    def _heads(self) -> Iterator[str]:
        """How the key files at the top begin."""
        top = [name for name in self.files if "/" not in name]
        keys = [name for pattern in KEY_FILES for name in top if fnmatch(name, pattern)]
        for name in list(dict.fromkeys(keys))[:MOST_KEY_FILES]:
            if text := _head(self.root / name):
                yield f"How {name} begins:\n\n" + "\n".join(f"> {line}" for line in text.splitlines())


def look(workspace: Path, without: Collection[str] = ()) -> Repository:
    """The repository in *workspace*; plans of aca and the files *without* are no part of it."""
    names = (name for name in _names(workspace) if name not in without and not is_secretive(name))
    return Repository(workspace, tuple(name for name in sorted(names) if not _is_plan(workspace / name)))


def is_secretive(name: str) -> bool:
    """Whether the name of the file *name* says that it holds secrets."""
    own = PurePosixPath(name).name.lower()
    return any(fnmatch(own, pattern) for pattern in SECRETIVE)


def _names(workspace: Path) -> list[str]:
    arguments = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
    try:
        found = git.git(*arguments, cwd=workspace)[1].split("\0")
    except GitError:
        found = list(_walked(workspace))
    names = filter(_can_be_told, filter(None, found[:MOST_FILES]))
    return [name for name in names if (workspace / name).is_file() and not _leads_away(workspace, name)]


def _walked(workspace: Path) -> Iterator[str]:
    count = 0
    for folder, folders, files in os.walk(workspace):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        for name in files:
            yield (Path(folder) / name).relative_to(workspace).as_posix()
            if (count := count + 1) >= MOST_FILES:
                return


def _leads_away(workspace: Path, name: str) -> bool:
    """Whether *name* is a link to a file elsewhere, or to one that holds secrets."""
    path = workspace / name
    if not path.is_symlink():
        return False
    target = path.resolve()
    return is_secretive(target.name) or not target.is_relative_to(workspace.resolve())


def _can_be_told(name: str) -> bool:
    """Names may be bytes that are no text, or have line ends in them that look like other names."""
    return name.isprintable() and not name.startswith(f"{PRIVATE}/")


def _is_plan(path: Path) -> bool:
    """Whether it is a plan that aca has dumped: asked for again, a plan would be part of its own reason."""
    if path.suffix not in (".json", ".toml"):
        return False
    try:
        with path.open("rb") as file:
            beginning = file.read(200)
    except OSError:
        return False
    return any(mark in beginning for mark in _PLANS)


def _kinds(files: Collection[str]) -> str:
    """``12 .py, 3 .md``, the most frequent first."""
    suffixes = Counter(PurePosixPath(name).suffix or "without suffix" for name in files)
    return ", ".join(f"{count} {suffix}" for suffix, count in suffixes.most_common(8))


def _rough_size(path: Path) -> str:
    """Nothing for a small file, else its size to a power of two."""
    try:
        size = path.stat().st_size
    except OSError:
        return ""
    return f" ({1 << (size.bit_length() - 10)} kB)" if size >= 4096 else ""


def _head(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(HEAD_CHARS)
    except OSError:
        return ""
    return "" if b"\0" in data else data.decode("utf-8", errors="replace").strip()
