"""Which account a provider's calls count against: its name, where it is, and whose key it has."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

_PLACES: dict[str, tuple[str, str]] = {
    "anthropic": ("base_url", "ANTHROPIC_BASE_URL"),
    "claude-cli": ("", "ANTHROPIC_BASE_URL"),
    "codex-cli": ("", "OPENAI_BASE_URL"),
    "ollama": ("host", "OLLAMA_HOST"),
    "openai": ("base_url", "OPENAI_BASE_URL"),
}
"""The option and the variable that say where a provider is."""
_KEYS: dict[str, tuple[str, ...]] = {
    "anthropic": ("ANTHROPIC_API_KEY",),
    "claude-cli": (
        "CLAUDE_CODE_OAUTH_TOKEN",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_API_KEY",
        "CLAUDE_CONFIG_DIR",
    ),
    "codex-cli": ("CODEX_API_KEY", "OPENAI_API_KEY", "CODEX_HOME"),
    "ollama": ("OLLAMA_API_KEY",),
    "openai": ("OPENAI_API_KEY",),
}
"""The variables that tell whose account it is. A program that has logged in by itself has one per user."""


def account(provider: str, options: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """``openai@api.example.org#0f3a...``: the same for the same account, and no way back to the key."""
    option, variable = _PLACES.get(provider, ("", ""))
    place = str(options.get(option) or environ.get(variable, ""))
    names = _KEYS.get(provider) or tuple(options.get("needs_env", ()))
    keys = [f"{name}={environ[name]}" for name in names if environ.get(name)]
    name = provider + (f"@{place.partition('://')[2] or place}" if place else "")
    return f"{name}#{hashlib.sha256(chr(0).join(keys).encode()).hexdigest()[:16]}" if keys else name
