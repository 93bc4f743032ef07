"""A project that is a git repository, and what its user sees of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.project import Project

IDENTITY = {
    "GIT_AUTHOR_NAME": "user",
    "GIT_AUTHOR_EMAIL": "user@localhost",
    "GIT_COMMITTER_NAME": "user",
    "GIT_COMMITTER_EMAIL": "user@localhost",
}


def git(project: Project, *arguments: str, cwd: Path | None = None) -> str:
    """``git ARGUMENTS`` as the user would run it; its output without the last newline."""
    env = {"PATH": os.environ["PATH"], "HOME": str(project.home), **IDENTITY}
    done = subprocess.run(
        ["git", *arguments], cwd=cwd or project.root, env=env, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")


def repository(project: Project, files: dict[str, str]) -> None:
    """Make the project a repository with one commit."""
    git(project, "init", "--quiet", "--initial-branch=main", ".")
    project.write(files)
    commit(project, "first")


def commit(project: Project, message: str) -> str:
    """Commit everything; returns the commit."""
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", message)
    return git(project, "rev-parse", "HEAD")


def tasks(project: Project, items: str, script: str, *, settings: str = "") -> None:
    """``tasks.md`` and its replay script, neither of them committed."""
    project.write({"replay.toml": script})
    front = f"provider: replay\nproviders: {{replay: {{script: replay.toml}}}}\n{settings}"
    (project.root / "tasks.md").write_text(f"---\n{front}---\n{items}")


def seen(project: Project) -> tuple[str, str, str, dict[str, bytes]]:
    """All that is the user's: branch, commit, index and files; what git ignores is left out."""
    names = git(project, "ls-files", "-co", "--exclude-standard", "-z").split("\0")[:-1]
    paths = {name: project.root / os.fsencode(name).decode("utf-8", "surrogateescape") for name in names}
    files = {name: path.read_bytes() for name, path in paths.items() if path.is_file()}
    head = git(project, "symbolic-ref", "--quiet", "HEAD") if _is_on_branch(project) else ""
    return head, git(project, "rev-parse", "HEAD"), git(project, "ls-files", "-s"), files


def _is_on_branch(project: Project) -> bool:
    return (project.root / ".git").is_file() or (project.root / ".git/HEAD").read_text().startswith("ref:")


def users(project: Project) -> dict[str, bytes]:
    """Every byte of git's that is the user's: all but objects and what is aca's own."""
    folder = next(
        (path for path in (project.root / ".git", project.root.parent / ".git") if path.is_dir()), None
    )
    files = [path for path in folder.rglob("*") if path.is_file()] if folder else []
    ours = ("objects", "worktrees", "refs/aca", "logs/refs/aca", "refs/heads/aca", "logs/refs/heads/aca")
    return {
        name: path.read_bytes()
        for name, path in ((str(path.relative_to(folder or path)), path) for path in files)
        if not name.startswith(ours)
    }


def merged(project: Project, path: str) -> str:
    """A file on the newest session's branch."""
    return git(project, "show", f"aca/{project.sessions()[-1].id}:{path}")


def worktrees(project: Project) -> list[str]:
    """Every worktree but the user's own."""
    lines = git(project, "worktree", "list", "--porcelain").splitlines()
    paths = [line.removeprefix("worktree ") for line in lines if line.startswith("worktree ")]
    return [path for path in paths if Path(path) != project.root]


def left(project: Project) -> list[str]:
    """What is on the disk where worktrees are made."""
    folder = project.home / ".local" / "state" / "aca"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []


def kept(project: Project, task: str) -> list[int]:
    """The attempts at a task whose trees are kept."""
    found = git(project, "for-each-ref", "--format=%(refname)", "refs/aca/").splitlines()
    return sorted(int(ref.split("/")[4]) for ref in found if ref.split("/")[3] == task)
