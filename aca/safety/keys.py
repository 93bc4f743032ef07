"""Keys of model providers: from the environment, else from the keyring of the operating system."""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import cache

SERVICE = "aca"
"""Under which keys are kept in the keyring, each under its variable's name."""


def key(name: str) -> str:
    """The key called *name*, such as ``OPENAI_API_KEY``; empty where there is none."""
    return os.environ.get(name) or kept(name)


def where(name: str) -> str:
    """Where the key is that ``key`` gives, for people; empty where there is none."""
    if os.environ.get(name):
        return f"{name} is set"
    return f"{name} is in the keyring" if kept(name) else ""


def cure(name: str) -> str:
    """How to give aca a key."""
    return f"set {name}, or keep it in the keyring: `keyring set {SERVICE} {name}`"


def known(names: Collection[str]) -> list[str]:
    """Every value of these keys that this process has come across, wherever it is from."""
    return [value for source in (os.environ, _read) for name in names if (value := source.get(name))]


_read: dict[str, str] = {}


@cache
def kept(name: str) -> str:
    """The key called *name* in the keyring; empty where there is none."""
    try:
        import keyring

        _read[name] = keyring.get_password(SERVICE, name) or ""
    except Exception:  # not installed, locked, broken or without a backend: each in its own way, and no key
        return ""
    return _read[name]
