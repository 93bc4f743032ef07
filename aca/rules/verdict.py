"""How a session stands when nothing more can run: the exit code, and why."""

from __future__ import annotations

from aca.core.state import SessionState
from aca.errors import Exit


def verdict(state: SessionState) -> tuple[Exit, str]:
    """What the process says when nothing more can run, and why.

    Raises RuntimeError, for a bug of ours, when something still could: that must never pass as success.
    """
    proposed = len(state.open_proposals())
    if blocked := state.counts["blocked"] - proposed:
        return Exit.WAITING, f"{_tasks(blocked)} for a person: `aca status` says for what"
    if state.failed():
        failed = sum(task.status == "failed" for task in state.states.values())
        skipped = sum(task.dead for task in state.states.values()) - failed
        tail = f", {skipped} skipped because of that" if skipped else ""
        tail += f", {left} not begun" if (left := state.counts["pending"]) else ""
        return Exit.TASK_FAILED, f"{failed} task{'s' if failed != 1 else ''} failed{tail}"
    if state.unfinished():
        raise RuntimeError(f"tasks are left that nothing holds back: {dict(state.counts)}")
    return Exit.OK, f"{_success(state)}{_proposed(proposed)}"


def _success(state: SessionState) -> str:
    if skipped := state.counts["skipped"]:
        return f"completed and verified, but for {skipped} skipped task{'s' * (skipped > 1)}"
    return "every task is completed and verified"


def _proposed(count: int) -> str:
    """What an agent proposed is no part of what was asked for, until a person says so."""
    return f"; {_tasks(count)} for your approval" if count else ""


def _tasks(count: int) -> str:
    return "1 task waits" if count == 1 else f"{count} tasks wait"
