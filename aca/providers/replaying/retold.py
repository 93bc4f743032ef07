"""What a provider told of an attempt, as steps of a replay script, and these as text.

A step is plain data here, keys and values as they stand in the script.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from aca.core import events as ev
from aca.providers import base
from aca.providers.replaying.tree import Difference
from aca.safety.secrets import struck_out

Entry = dict[str, Any]
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def retold(told: Sequence[base.Step], found: Difference, environment: Mapping[str, str]) -> list[Entry]:
    """The steps *told*, then the files *found* changed, then what its end gave, for aca to judge again.

    Tools are shown, not used again: what they did is in the files. Secrets of *environment* are struck out.
    """
    entries = [entry for step in told for entry in _shown(step)]
    entries = [_cleaned(entry, environment) for entry in entries]
    entries += _files(found, environment)
    ends = (step for step in told if isinstance(step, base.Result))
    said = next((step.text for step in reversed(told) if isinstance(step, base.Said)), None)
    return entries + [_cleaned(entry, environment) for result in ends for entry in _ending(result, said)]


def ended(event: ev.TaskFailed | ev.TaskInterrupted, environment: Mapping[str, str]) -> Entry:
    """How an attempt ended that did not get as far as to be judged, as the last of its steps."""
    reason: str = _cleaned(event.reason, environment)
    if isinstance(event, ev.TaskFailed):
        return {"fail": reason, "category": event.category}
    if not event.quota:
        return {"interrupt": reason}
    opens = "unknown" if event.until is None else datetime.fromtimestamp(event.until, UTC)
    return {"quota": opens, **_given(reason=reason)}


def _shown(step: base.Step) -> Iterator[Entry]:
    match step:
        case base.Said(text):
            yield {"say": text}
        case base.Used(tool, detail, error):
            yield {"used": tool, **_given(detail=detail, error=error)}
        case base.Changed(change):
            yield {"changed": change.path, "action": change.action}
        case base.Noted(text):
            yield {"note": text}
        case base.Proposed(task):
            yield {"propose": _without_none(task)}
        case base.Conversed(conversation):
            yield {"conversation": conversation}


def _ending(result: base.Result, said: str | None) -> Iterator[Entry]:
    if result.usage is not None:
        yield {"usage": msgspec.to_builtins(result.usage)}
    if result.subtasks:
        yield {"subtasks": _without_none(result.subtasks)}
    for tool in result.denied if result.stop == "denied" else ():
        yield {"deny": tool, "quiet": True, **_given(cure=result.reason)}
    if result.stop in ("done", "denied") and result.text != said:
        yield {"result": result.text}
    if result.output is not None:
        yield {"output": _without_none(result.output)}


def _files(found: Difference, environment: Mapping[str, str]) -> Iterator[Entry]:
    for name in found.deleted:
        yield {"delete": name, "quiet": True}
    for one in found.written:
        more = {"executable": True} if one.is_executable else {}
        yield {"write": one.name, **_content(one.data, environment), **more, "quiet": True}


def _content(data: bytes, environment: Mapping[str, str]) -> Entry:
    try:
        return {"content": struck_out(data.decode(), environment)}
    except UnicodeDecodeError:  # each byte is one character in Latin-1, and back
        clean = struck_out(data.decode("latin-1"), environment).encode("latin-1")
        return {"base64": base64.b64encode(clean).decode()}


def _given(**keys: str) -> Entry:
    return {key: value for key, value in keys.items() if value}


def _without_none(data: Any) -> Any:
    """TOML has no word for nothing; a key that is not there says the same."""
    if isinstance(data, Mapping):
        return {key: _without_none(value) for key, value in data.items() if value is not None}
    return [_without_none(value) for value in data] if isinstance(data, list | tuple) else data


def _cleaned(data: Any, environment: Mapping[str, str]) -> Any:
    """*data* with no secret in its texts, and no half of a character, which no file takes."""
    if isinstance(data, str):
        return struck_out(data.encode("utf-8", "replace").decode(), environment)
    if isinstance(data, Mapping):
        return {key: _cleaned(value, environment) for key, value in data.items()}
    return [_cleaned(value, environment) for value in data] if isinstance(data, list | tuple) else data


# -- as text ----------------------------------------------------------------------------------------------


def toml(task: str, attempt: int, entries: Iterable[Entry]) -> str:
    """*entries* as steps of one attempt at *task*."""
    head = f"[[tasks.{_key(task)}.steps]]\n"
    return "".join(head + _lines({"attempt": attempt, **entry}) + "\n" for entry in entries)


def value(data: Any) -> str:
    """*data* as TOML writes it in one place; text of several lines stays readable."""
    if isinstance(data, str):
        return _text(data)
    if isinstance(data, Mapping):
        return f"{{{', '.join(f'{_key(key)} = {value(one)}' for key, one in data.items())}}}"
    if isinstance(data, list | tuple):
        return f"[{', '.join(map(value, data))}]"
    return data.isoformat() if isinstance(data, datetime) else json.dumps(data)


def _lines(entry: Entry) -> str:
    return "".join(f"{_key(key)} = {value(one)}\n" for key, one in entry.items())


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _quoted(name)


def _text(words: str) -> str:
    if "\n" not in words or "\r" in words:
        return _quoted(words)
    quote = '\\"' if '"""' in words or words.endswith('"') else '"'
    lines = (quote.join(_quoted(part)[1:-1] for part in line.split('"')) for line in words.split("\n"))
    return '"""\n' + "\n".join(lines) + '"""'


def _quoted(words: str) -> str:
    """JSON's escapes are TOML's, but for DEL, which TOML will not have as it is."""
    return json.dumps(words, ensure_ascii=False).replace("\x7f", "\\u007F")
