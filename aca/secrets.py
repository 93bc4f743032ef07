"""Keys of model providers: kept from the commands an agent runs, struck out of whatever is written down."""

from __future__ import annotations

import mmap
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from aca import keys

VARIABLES = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY", "OLLAMA_API_KEY")
"""The names of keys, in the environment and in the keyring."""
_SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)(_|$)", re.IGNORECASE)
"""What the name of a variable has in it whose value is not for others to read."""
_SHORTEST = 8
"""A shorter value is a placeholder; striking it out would garble ordinary text."""


def without(environment: Mapping[str, str], passed: Collection[str] = ()) -> dict[str, str]:
    """*environment* without the keys, but for those that are *passed* on."""
    return {name: value for name, value in environment.items() if name not in VARIABLES or name in passed}


def struck_out(text: str, environment: Mapping[str, str] | None = None) -> str:
    """*text* with the keys in it made unreadable, and what looks secret in the *environment* it is from."""
    found = {*_keys(), *_secrets(environment or {})}
    for secret in sorted(found, key=len, reverse=True):  # one may be the beginning of another
        text = text.replace(secret, "*" * len(secret))
    return text


def strike_out_of(path: Path) -> None:
    """The same for a file, in place: a command can find our keys where nobody gave them to it."""
    keys = [key.encode() for key in _keys()]
    if not keys or path.stat().st_size == 0:
        return
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        for key in keys:
            while (at := content.find(key)) >= 0:
                content[at : at + len(key)] = b"*" * len(key)


def _keys() -> list[str]:
    return _long_enough(value for name in VARIABLES for value in keys.known(name))


def _secrets(environment: Mapping[str, str]) -> list[str]:
    return _long_enough(value for name, value in environment.items() if _SECRET.search(name))


def _long_enough(values: Iterable[str]) -> list[str]:
    return [value for value in values if len(value) >= _SHORTEST]
