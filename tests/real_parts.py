"""The real programs that tests run where they are installed (``tests/real/``); in CI they must be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def claude() -> Path:
    """The claude CLI. Skips the test where there is none, and fails it in CI."""
    given = os.environ.get("ACA_TEST_CLAUDE")
    path = Path(given) if given else Path(__file__).parent / "real" / "node_modules" / ".bin" / "claude"
    if path.exists():
        return path.absolute()
    reason = f"no claude CLI at {path}: tests/real/install-claude installs it"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def claude_environment(home: Path, url: str) -> dict[str, str]:
    """An environment in which claude knows no person and talks to the model at *url* only."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "ANTHROPIC_API_KEY": "sk-ant-no-key",
        "ANTHROPIC_BASE_URL": url,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": "0",
    }
