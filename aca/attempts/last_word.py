"""What an agent that has no tools of aca hands in: a block at the end of its last word."""

from __future__ import annotations

import json
from typing import Any

import msgspec

REQUEST = """\
# What you may hand in

Your last message may end with a block like this one:

```aca
{"subtasks": [{"title": "...", "description": "...", "dependencies": ["title of another subtask"]}],
 "proposals": [{"title": "...", "description": "..."}],
 "notes": ["..."]}
```

- subtasks: your task is too much for one go. Others do them after you, each knowing only its own text and
  what your task says, and then your task is checked. Do not do them yourself.
- proposals: work that you found and that is no part of your task. A person decides whether it is done.
- notes: what those who work on other tasks after you should know, and could not easily see for themselves.

Leave out what you have nothing for; most tasks need no such block."""
_KEYS = ("subtasks", "proposals", "notes")


class LastWord(msgspec.Struct, frozen=True):
    """``text`` without the block; ``wrong`` is why the block cannot be used, empty where it can."""

    text: str
    subtasks: tuple[Any, ...] = ()
    proposals: tuple[Any, ...] = ()
    notes: tuple[Any, ...] = ()
    wrong: str = ""


def read(text: str) -> LastWord:
    """Take the block out of *text*, where it ends in one."""
    said, block = _taken_apart(text)
    if block is None:
        return LastWord(text)
    try:
        given = json.loads(block)
    except ValueError as error:
        return LastWord(said, wrong=f"it is not JSON: {error}")
    except RecursionError:
        return LastWord(said, wrong="it is nested too deeply")
    if why := _wrong(given):
        return LastWord(said, wrong=why)
    subtasks, proposals, notes = (tuple(given.get(key, ())) for key in _KEYS)
    return LastWord(said, subtasks, proposals, notes)


def _taken_apart(text: str) -> tuple[str, str | None]:
    """*text* up to the block at its very end, and what is in that. Agents quote such blocks further above."""
    said, opening, rest = f"\n{text.rstrip()}".rpartition("\n```aca")
    after, _, body = rest.partition("\n")
    inside, closing, behind = f"\n{body}".partition("\n```")
    if not (opening and closing) or after.strip() or behind:
        return text, None
    return said[1:].rstrip(), inside


def _wrong(given: object) -> str:
    if not isinstance(given, dict) or not given.keys() <= {*_KEYS}:
        return f"it should be a table of {', '.join(_KEYS)}"
    for key, entries in given.items():
        if not isinstance(entries, list):
            return f"{key} should be a list"
    if not all(isinstance(note, str) and note.strip() for note in given.get("notes", ())):
        return "notes should be texts"
    return ""
