"""Objects that an enclosed agent's git makes: put aside, and taken over when the agent is done.

Its commits need a place for objects, and the repository's own could be damaged there. So in the sandbox an
empty directory is seen in the place of ``objects``, and that one elsewhere, not to be written to. This is
what git does with what it receives (``git help receive-pack``, "quarantine environment").
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from aca.workspaces.git import git
from aca.workspaces.repository import Repository

SETTINGS = "config.worktree"
"""What git reads besides the repository's own settings, where ``extensions.worktreeConfig`` says so."""
_NEW, _KNOWN = "aca-objects", "aca-known-objects"


def prepare(own: Path) -> tuple[Path, Path]:
    """(directory for new objects, where those of the repository are to be seen), in git's directory *own*."""
    new, known = own / _NEW, own / _KNOWN
    unlink_all(own)
    (own / SETTINGS).touch()  # what is there can be kept from being written
    shutil.rmtree(new, ignore_errors=True)
    (new / "info").mkdir(parents=True, exist_ok=True)
    known.mkdir(exist_ok=True)
    (new / "info" / "alternates").write_text(f"{known}\n", encoding="utf-8", errors="surrogateescape")
    return new, known


def unlink_all(own: Path) -> None:
    """Remove what is neither file nor directory in *own*, where an agent may have put it.

    Whoever is outside would follow a link, and wait at a pipe for ever.
    """
    for folder, folders, files in os.walk(own):
        for path in (Path(folder, name) for name in (*folders, *files)):
            if not stat.S_ISDIR(mode := path.lstat().st_mode) and not stat.S_ISREG(mode):
                path.unlink()


def absorb(repository: Repository, own: Path) -> None:
    """Take what was made in a sandbox over, each object by what is in it. Raises GitError."""
    new, objects = own / _NEW, repository.common / "objects"
    unlink_all(own)
    if not new.is_dir():
        return
    shutil.rmtree(new / "info", ignore_errors=True)
    where = (f"--git-dir={repository.common}",)
    aside = {**repository.marks, "GIT_OBJECT_DIRECTORY": str(new)}
    listed = ("cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
    names = git(*where, *listed, cwd=repository.common, env=aside)[1]
    if names:
        both = {**aside, "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects)}
        pack = git(*where, "pack-objects", "--stdout", "-q", cwd=repository.common, stdin=names, env=both)[1]
        repository.run("unpack-objects", "-q", stdin=pack)
    shutil.rmtree(new)
