"""Keys of model providers: kept from the commands an agent runs, struck out of whatever is written down."""

from __future__ import annotations

import mmap
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from aca.safety import keys

OF_PROVIDERS: dict[str, tuple[str, ...]] = {
    "anthropic": ("ANTHROPIC_API_KEY",),
    "claude-cli": ("CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"),
    "codex-cli": ("CODEX_API_KEY", "OPENAI_API_KEY"),
    "ollama": ("OLLAMA_API_KEY",),
    "openai": ("OPENAI_API_KEY",),
}
"""Provider -> the variables that have its key, the first that is set being the one it takes."""
VARIABLES = tuple(
    dict.fromkeys([*(name for names in OF_PROVIDERS.values() for name in names), "GEMINI_API_KEY",
                   "GOOGLE_API_KEY"])
)  # fmt: skip
"""The names of keys, in the environment and in the keyring."""
_OWNERS = {"anthropic": "Anthropic", "openai": "OpenAI", "google": "Google", "github": "GitHub",
           "amazon": "Amazon", "slack": "Slack", "private": "somebody"}  # fmt: skip
_FORMS = re.compile(
    r"(?P<anthropic>\bsk-ant-[\w-]{24,})|(?P<openai>\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_]{32,})"
    r"|(?P<google>\bAIza[\w-]{35})|(?P<github>\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{22,}))"
    r"|(?P<amazon>\bAKIA[0-9A-Z]{16}\b)|(?P<slack>\bxox[abprs]-[\w-]{10,})"
    r"|(?P<private>-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----)"
)
"""Keys by the forms in which their owners publish them: documentation of each, secret scanning of GitHub."""
_TRACES = re.compile(r"sk-[\w-]{28}|AIza|gh[pousr]_|github_pat_|AKIA|xox[abprs]-|-----BEGIN ")
"""What has none of these in it has no such key: it is looked for quickly, for it begins with letters only."""
_declared: set[str] = set()
_SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)(_|$)", re.IGNORECASE)
"""What the name of a variable has in it whose value is not for others to read."""
_NO_SECRET = re.compile(r"_(FILE|PATH|DIR|ID|NAME)$", re.IGNORECASE)
"""Of these names the value only says where the secret is, or whose."""
_SHORTEST = 8
"""A shorter value is a placeholder; striking it out would garble ordinary text."""


def declare(names: Iterable[str]) -> None:
    """From now on those of *names* that look like keys are keys, too: what the agents of a plan need."""
    _declared.update(filter(_is_secret, names))


def without(environment: Mapping[str, str], passed: Collection[str] = ()) -> dict[str, str]:
    """*environment* without the keys, but for those that are *passed* on."""
    hidden = {*VARIABLES, *_declared}.difference(passed)
    return {name: value for name, value in environment.items() if name not in hidden}


def struck_out(text: str, environment: Mapping[str, str] | None = None) -> str:
    """*text* with the keys in it made unreadable, and what looks secret in the *environment* it is from."""
    found = {*_keys(), *(_secrets(environment) if environment else ())}
    for secret in sorted(found, key=len, reverse=True):  # one may be the beginning of another
        text = text.replace(secret, "*" * len(secret))
    return text


def places(data: object, environment: Mapping[str, str]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """(path, name of the variable) of every text in *data* that holds a secret of the *environment*."""
    names = [name for name in environment if name in VARIABLES or _is_secret(name)]
    secrets = {name: environment[name] for name in names if len(environment[name]) >= _SHORTEST}
    said = _as_json(data) if secrets else ""
    if said is not None and not any((_as_json(one) or "")[1:-1] in said for one in secrets.values()):
        return  # as nearly always, and plans may be large
    for loc, text in _texts(data):
        yield from ((loc, name) for name, secret in secrets.items() if secret in text)


def lookalikes(data: object) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """(path, whose it is) of every text in *data* that holds what has the form of a key."""
    said = _as_json(data)
    if said is not None and not _TRACES.search(said):  # likewise
        return
    for loc, text in _texts(data):
        if found := _FORMS.search(text):
            yield loc, next(_OWNERS[name] for name, part in found.groupdict().items() if part)


def _as_json(data: object) -> str | None:
    """All of *data* as one text, which is quickly made; None where there is in it what JSON lacks."""
    try:
        return msgspec.json.encode(data).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None


def _texts(data: object) -> Iterator[tuple[tuple[str | int, ...], str]]:
    waiting: list[tuple[tuple[str | int, ...], object]] = [((), data)]
    while waiting:
        loc, value = waiting.pop()
        if isinstance(value, str):
            yield loc, value
        elif isinstance(value, Mapping):
            waiting += [((*loc, key), one) for key, one in value.items()]
        elif isinstance(value, list | tuple):
            waiting += [((*loc, index), one) for index, one in enumerate(value)]


def _is_secret(name: str) -> bool:
    return bool(_SECRET.search(name)) and not _NO_SECRET.search(name)


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
    return _long_enough(keys.known((*VARIABLES, *_declared)))


def _secrets(environment: Mapping[str, str]) -> list[str]:
    return _long_enough(value for name, value in environment.items() if _is_secret(name))


def _long_enough(values: Iterable[str]) -> list[str]:
    return [value for value in values if len(value) >= _SHORTEST]
