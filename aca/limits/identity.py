"""Which account a provider's calls count against: its name, where it is, and whose key it has."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from aca import secrets

_PLACES: dict[str, tuple[str, str]] = {
    "anthropic": ("base_url", "ANTHROPIC_BASE_URL"),
    "claude-cli": ("", "ANTHROPIC_BASE_URL"),
    "codex-cli": ("", "OPENAI_BASE_URL"),
    "ollama": ("host", "OLLAMA_HOST"),
    "openai": ("base_url", "OPENAI_BASE_URL"),
}
"""The option and the variable that say where a provider is."""
_LOGINS: dict[str, str] = {"claude-cli": "CLAUDE_CONFIG_DIR", "codex-cli": "CODEX_HOME"}
"""Besides its keys, the variable that tells whose account it is: where a program keeps its login."""


def account(provider: str, options: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """``openai@api.example.org#0f3a...``: the same for the same account, and no way back to the key."""
    option, variable = _PLACES.get(provider, ("", ""))
    place = str(options.get(option) or environ.get(variable, ""))
    names = secrets.OF_PROVIDERS.get(provider) or tuple(options.get("needs_env", ()))
    names += tuple(filter(None, [_LOGINS.get(provider)]))
    keys = [f"{name}={environ[name]}" for name in names if environ.get(name)]
    name = provider + (f"@{place.partition('://')[2] or place}" if place else "")
    return f"{name}#{hashlib.sha256(chr(0).join(keys).encode()).hexdigest()[:16]}" if keys else name
