"""What agents say and print, made fit to be written down: no half characters, no keys of ours."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from aca.providers import base
from aca.safety import secrets


def writable(step: base.Step) -> tuple[base.Step, bytes]:
    """*step* as it may be kept and shown, and as JSON."""
    step, line = _encodable(step)
    told = line.decode()
    if (struck := secrets.struck_out(told)) == told:
        return step, line
    line = struck.encode()
    return msgspec.json.decode(line, type=type(step)), line


def text(words: str) -> str:
    """*words* without halves of surrogate pairs: agents print them, file names hold them, files take none."""
    return words.encode("utf-8", "replace").decode()


def data(value: Any) -> Any:
    """The same for all text in plain data."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return {data(key): data(one) for key, one in value.items()}
    return [data(one) for one in value] if isinstance(value, list | tuple) else value


def strike_out_of_all(logs: Path) -> None:
    """Take our keys out of what a program has printed, which was kept as it came."""
    for folder, _, files in os.walk(logs) if logs.is_dir() else ():
        for path in (Path(folder, name) for name in files):
            if path.is_file():
                secrets.strike_out_of(path)


def _encodable(step: base.Step) -> tuple[base.Step, bytes]:
    try:
        return step, msgspec.json.encode(step)
    except UnicodeEncodeError:
        step = msgspec.convert(data(msgspec.to_builtins(step)), type(step))
        return step, msgspec.json.encode(step)
