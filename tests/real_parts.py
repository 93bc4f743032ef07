"""The real programs that tests run where they are installed (``tests/real/``); in CI they must be."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import NoReturn

import pytest

from aca.processes import bubblewrap

MODULES = Path(__file__).parent / "real" / "node_modules"
CLAUDES = ("2.1.197", "2.1.329")
"""The versions of claude that the tests run: they differ in ways that matter."""


def claude(version: str = CLAUDES[-1]) -> Path:
    """The claude CLI. Skips the test where there is none, and fails it in CI."""
    if version == CLAUDES[-1]:
        return _agent("claude", "ACA_TEST_CLAUDE")
    name = f"claude-code-{version.replace('.', '-')}"
    return _program(f"claude {version}", MODULES / name / "bin" / "claude.exe")


def codex() -> Path:
    """The codex CLI, likewise."""
    return _agent("codex", "ACA_TEST_CODEX")


def gemini() -> Path:
    """The gemini CLI, likewise."""
    return _agent("gemini", "ACA_TEST_GEMINI")


def opencode() -> Path:
    """The opencode CLI, likewise."""
    return _agent("opencode", "ACA_TEST_OPENCODE")


def claude_sdk() -> None:
    """Claude's SDK, likewise."""
    if importlib.util.find_spec("claude_agent_sdk") is None:
        lacking("no claude-agent-sdk: pip install --editable '.[claude-sdk]' installs it")


def sandbox() -> None:
    """bubblewrap, likewise."""
    if (missing := bubblewrap.obstacle()) is not None:
        lacking(f"{missing.message}: tests/real/install-sandbox installs it")


def _agent(name: str, variable: str) -> Path:
    given = os.environ.get(variable)
    return _program(name, Path(given) if given else MODULES / ".bin" / name)


def _program(name: str, path: Path) -> Path:
    if not path.exists():
        lacking(f"no {name} CLI at {path}: tests/real/install-agents installs it")
    return path.absolute()


def lacking(reason: str) -> NoReturn:
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
        **claude_variables(url),
    }


def claude_variables(url: str, retries: int = 0) -> dict[str, str]:
    """What has claude talk to the model at *url* only, and try again so often."""
    return {
        "ANTHROPIC_API_KEY": "sk-ant-dummy",
        "ANTHROPIC_BASE_URL": url,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": str(retries),
    }


def codex_environment(home: Path, url: str) -> dict[str, str]:
    """An environment in which codex knows no person and talks to the model at *url* only."""
    settings = home / ".codex" / "config.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(
        f"""\
        model = "gpt-test"
        model_provider = "scripted"
        [model_providers.scripted]
        name = "scripted"
        base_url = "{url}"
        wire_api = "responses"
        env_key = "SCRIPTED_KEY"
        request_max_retries = 0
        stream_max_retries = 0
        """
    )
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "SCRIPTED_KEY": "no-key",
        "TMPDIR": str(
            _made(home / "tmp")
        ),  # codex's sandbox bears no home that is in a directory for such files
    }


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def gemini_environment(home: Path, url: str) -> dict[str, str]:
    """The same for gemini."""
    settings = home / ".gemini" / "settings.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text('{"security": {"auth": {"selectedType": "gemini-api-key"}}}')
    return {"GEMINI_API_KEY": "no-key", "GOOGLE_GEMINI_BASE_URL": url}


def opencode_environment(home: Path, url: str) -> dict[str, str]:
    """The same for opencode, which is to fetch nothing."""
    options = {"baseURL": url, "apiKey": "no-key"}
    scripted = {"npm": "@ai-sdk/openai-compatible", "options": options, "models": {"small": {}}}
    settings = {
        "autoupdate": False,
        "share": "disabled",
        "provider": {"scripted": scripted},
        "model": "scripted/small",
        "small_model": "scripted/small",
    }
    return {
        "OPENCODE_CONFIG_CONTENT": json.dumps(settings),
        "NPM_CONFIG_OFFLINE": "true",
        "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "XDG_CONFIG_HOME": str(home / "config"),
    }
