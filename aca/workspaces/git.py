"""The git command line, one call at a time: no hooks, no prompts, nothing of the caller's surroundings.

What is read from git is separated by null characters, so that a name may hold anything a file's name may.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from aca.errors import MachineError

OLDEST = (2, 38)
"""The first git that merges without a working tree (``git merge-tree --write-tree``)."""
TOO_OLD = "git 2.38 or newer is needed for worktrees"

_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.quotePath": "false",
    "core.safecrlf": "false",
    "core.pager": "cat",
    "color.ui": "false",
    "advice.detachedHead": "false",
    "commit.gpgSign": "false",
    "gc.auto": "0",  # its packing would run on in the background, among the attempts
    "maintenance.auto": "false",
    "merge.conflictStyle": "merge",
    "submodule.recurse": "false",
    "diff.ignoreSubmodules": "dirty",  # else git runs in there, with settings that an agent may have written
    "i18n.commitEncoding": "utf-8",
}
_SURROUNDINGS = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",  # else to look at the user's index would write it anew
    "LC_ALL": "C.UTF-8",
}
_WHERE = ("--git-dir=", "--work-tree=")
_LOCAL = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NAMESPACE",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
"""What belongs to one repository, as ``git rev-parse --local-env-vars`` says, settings left out."""
LONGEST = 900.0
"""Seconds: what takes longer waits for what never comes. To check out what is large takes minutes."""


class GitError(MachineError):
    """git refused. The message has what it said."""


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """*environ* without what points git to some repository: aca may itself be run by a hook."""
    return {name: value for name, value in environ.items() if name not in _LOCAL}


def _own(environ: Mapping[str, str]) -> dict[str, str]:
    """What aca's own calls are to know of *environ*: of git's variables settings and who the user is."""
    kept = ("GIT_CONFIG_", "GIT_AUTHOR_", "GIT_COMMITTER_")
    return {
        name: value for name, value in environ.items() if not name.startswith("GIT_") or name.startswith(kept)
    }


def git(
    *arguments: str,
    cwd: Path,
    accept: Sequence[int] = (0,),
    stdin: str = "",
    env: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run ``git ARGUMENTS``; its exit code, which is one of *accept*, and its output. Raises GitError."""
    settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
    surroundings = {**_own(os.environ), **_SURROUNDINGS, **(env or {})}
    try:
        done = call(
            ["git", *settings, *arguments], cwd, surroundings, stdin.encode("utf-8", "surrogateescape")
        )
    except OSError as error:
        if not cwd.is_dir():
            raise GitError(f"{cwd} is gone: something has removed it") from None
        why = f"git cannot be started: {error.strerror or error}"
        raise GitError(f"{why}\n   install it, or put it on the PATH") from None
    except subprocess.TimeoutExpired:
        said = f"{_named(arguments)} in {cwd}: it had not ended after {LONGEST / 60:g} minutes"
        raise GitError(f"{said}\n   a filter or a disk may keep it waiting: try it by hand there") from None
    if done.returncode not in accept:
        said = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
        raise GitError(f"{_named(arguments)}: {said}")
    return done.returncode, done.stdout.decode("utf-8", "surrogateescape")


def _named(arguments: Sequence[str]) -> str:
    """A call in two words: what is done, and not where."""
    words = list(arguments)
    while words and (words[0] == "-C" or words[0].startswith(_WHERE)):
        del words[: 2 if words[0] == "-C" else 1]
    return f"git {' '.join(words[:2])}"


def call(
    argv: list[str], cwd: Path, env: Mapping[str, str], stdin: bytes
) -> subprocess.CompletedProcess[bytes]:
    """Run git to its end. Raises TimeoutExpired when it took too long, and is ended with all it started."""
    pipe = subprocess.PIPE
    # A group of its own, so that Ctrl-C in the terminal does not cut git off in the middle.
    with subprocess.Popen(
        argv, cwd=cwd, env=env, stdin=pipe, stdout=pipe, stderr=pipe, process_group=0
    ) as child:
        try:
            out, err = child.communicate(stdin, LONGEST)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(argv, child.returncode, out, err)


def is_new_enough() -> bool:
    """Whether git is here and can do what worktrees need."""
    try:
        said = git("version", cwd=Path("/"))[1].split()
    except GitError:
        return False
    numbers = said[2].split(".") if len(said) > 2 else []
    return tuple(int(number) for number in numbers[:2] if number.isdigit()) >= OLDEST
