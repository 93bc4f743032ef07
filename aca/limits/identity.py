"""Which account a provider's calls count against: its name, where it is, and whose key it has."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from aca.safety import keys, secrets

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
_IN_KEYRING = ("anthropic", "ollama", "openai")
"""Providers whose key may be in the keyring instead."""
_SAME = {"claude-sdk": "claude-cli"}
"""Another way to the same account."""


def account(provider: str, options: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """``openai@api.example.org#0f3a...``: the same for the same account, and no way back to the key."""
    provider = _SAME.get(provider, provider)
    option, variable = _PLACES.get(provider, ("", ""))
    place, private = _place(str(options.get(option) or environ.get(variable, "")))
    secret = [*_keys(provider, options, environ), *private]
    name = f"{provider}@{place}" if place else provider
    return f"{name}#{hashlib.sha256(chr(0).join(secret).encode()).hexdigest()[:16]}" if secret else name


def _keys(provider: str, options: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    """What tells whose account it is, from the environment or else from the keyring."""
    names = secrets.OF_PROVIDERS.get(provider) or tuple(options.get("needs_env", ()))
    names += tuple(filter(None, [_LOGINS.get(provider)]))
    found = {name: environ.get(name, "") for name in names}
    if provider in _IN_KEYRING:
        found = {name: value or keys.kept(name) for name, value in found.items()}
    return [f"{name}={value}" for name, value in found.items() if value]


def _place(url: str) -> tuple[str, list[str]]:
    """The host and path of *url*, which may have no scheme; and what else it says, which may be secret."""
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
    except ValueError:  # such as a bracket that is not closed: whoever calls there will tell
        return "", [url]
    user, _, host = parts.netloc.rpartition("@")
    return host + parts.path, [one for one in (user, parts.query, parts.fragment) if one]
