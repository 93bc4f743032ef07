"""The calls of git that aca makes itself."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from aca.workspaces import git
from tests.places import pid_in, running


def test_a_git_that_never_ends_is_ended_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a filter that waits for a password; it is said what was asked of it, and where."""
    waits = tmp_path / "git"
    waits.write_text(f"#!/bin/sh\nsleep 60 &\necho $! > {tmp_path}/pid; wait\n")
    waits.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(git, "LONGEST", 0.5)
    began = time.monotonic()
    with pytest.raises(git.GitError, match=f"git worktree add in {tmp_path}: it had not ended after"):
        git.git("worktree", "add", "there", cwd=tmp_path)
    started = pid_in(tmp_path / "pid")
    while running(started):  # it is killed, and not waited for
        assert time.monotonic() - began < 20
