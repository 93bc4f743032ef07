"""Small values people write in several ways, and how each is read: durations, priorities, commands, ids."""

import hashlib
import re
import unicodedata
from collections.abc import Collection, Container, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import PydanticKnownError

from aca import plugins

LATEST = 253_402_300_800.0
"""The year 10,000 in Unix time: no calendar goes further."""
PRIORITY_WORDS = {"background": 1, "low": 3, "normal": 5, "high": 7, "critical": 9}


class Model(BaseModel):
    """Frozen, and an unknown key is an error. Its validator is built when it is first needed."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False, defer_build=True
    )

    @classmethod
    def model_rebuild(cls, **options: Any) -> bool | None:
        """Build the validator, which pydantic asks for when it is needed."""
        with plugins.kept_out():
            return super().model_rebuild(**options)


# -- durations, priorities and commands ---------------------------------------------------------------

# Decimal, because what is dumped must read back as the same number: 13 * 0.001 is not 0.013.
_LONGEST = 100 * 365 * 86400.0
_UNITS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_duration(value: object) -> float:
    """Seconds from ``90``, ``"90"``, ``"30m"``, ``"1h30m"`` or ``"1.5h"``. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError('write a duration like "30s", "10m", "1h30m", or a number of seconds')
    if isinstance(value, int | float):
        seconds = float(min(value, _LONGEST))
    else:
        text = value.replace(" ", "").lower()
        pieces = _DURATION.findall(text)
        if "".join(number + unit for number, unit in pieces) == text and pieces:
            seconds = float(sum(Decimal(number) * _UNITS[unit] for number, unit in pieces))
        else:
            try:
                seconds = float(text)
            except ValueError:
                raise ValueError(f'"{value}" is not a duration; write "30s", "10m" or "1h30m"') from None
    if not 0 <= seconds < _LONGEST:
        raise ValueError("a duration cannot be negative, or a hundred years long")
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest text that ``parse_duration`` reads back as *seconds*: ``"1h30m"``, ``"250ms"``."""
    millis = round(seconds * 1000)
    if abs(seconds * 1000 - millis) > 1e-6:
        return f"{seconds:.9f}".rstrip("0") + "s"
    pieces = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, millis = divmod(millis, size)
        if count:
            pieces.append(f"{count}{unit}")
    return "".join(pieces) or "0s"


_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)([kmgt]?)(?:i?b)?")


def parse_memory(value: object) -> int:
    """Bytes from a number of them, or from ``"512m"``, ``"1.5 GB"``, ``"2GiB"``, each 1024 of the one before,
    as Docker counts. Raises ValueError."""
    text = "" if isinstance(value, bool) else str(value).replace(" ", "").lower()
    match = _MEMORY.fullmatch(text)
    if match is None:
        raise ValueError('write an amount of memory like "512m" or "2g", or a number of bytes')
    return int(Decimal(match[1]) * _BYTES[match[2]])


def format_memory(amount: int) -> str:
    """*amount* bytes for people: ``"512 MB"``."""
    unit, size = next(((unit, size) for unit, size in _SIZES if amount >= size), ("bytes", 1))
    return f"{amount / size:.4g} {unit}"


_SIZES = (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10))


def band(complexity: int | None) -> Literal["simple", "medium", "complex"]:
    """What an ``estimated_complexity`` counts as: simple is 1 to 3, complex 8 to 10; what lies between or is
    not said is medium."""
    known = 5 if complexity is None else complexity
    return "simple" if known <= 3 else "medium" if known <= 7 else "complex"


def parse_priority(value: object) -> object:
    """0-10, bigger first; words are aliases (``high`` is 7)."""
    if isinstance(value, str) and not value.strip().lstrip("-").isdigit():
        try:
            return PRIORITY_WORDS[value.strip().lower()]
        except KeyError:
            words = ", ".join(PRIORITY_WORDS)
            raise ValueError(f'"{value}" is not a priority; write 0 to 10, or one of {words}') from None
    return value


def _tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, when_used="json"),
    WithJsonSchema({"type": ["string", "number"], "description": 'like "30s", "10m", "1h30m", or seconds'}),
]
Memory = Annotated[
    int,
    BeforeValidator(parse_memory),
    WithJsonSchema({"type": ["string", "integer"], "description": 'like "512m" or "2g", or bytes'}),
]
_Named = Literal["background", "low", "normal", "high", "critical"]
_AnyPriority = Annotated[int, Field(ge=0, le=10)] | _Named
Priority = Annotated[
    int, BeforeValidator(parse_priority, json_schema_input_type=_AnyPriority), Field(ge=0, le=10)
]


def _no_truth(kind: Literal["int_type", "float_type"]) -> BeforeValidator:
    """Python takes true for 1; whoever writes it where a number belongs has meant something else."""

    def check(value: object) -> object:
        if isinstance(value, bool):
            raise PydanticKnownError(kind)
        return value

    return BeforeValidator(check)


NUMBER, WHOLE = _no_truth("float_type"), _no_truth("int_type")
Words = Annotated[tuple[str, ...], BeforeValidator(_tuple, json_schema_input_type=str | tuple[str, ...])]


def _runnable(command: str | tuple[str, ...]) -> str | tuple[str, ...]:
    words = (command,) if isinstance(command, str) else command
    if not words or not words[0].strip():
        raise ValueError("a command cannot be empty")
    if "\0" in "".join(words):
        raise ValueError("a command cannot contain a null character")
    return command


def _variables(env: dict[str, str]) -> dict[str, str]:
    for name, value in env.items():
        if not name or "=" in name or "\0" in name + value:
            raise ValueError(f'"{name}" cannot be an environment variable')
    return env


Variables = Annotated[dict[str, str], AfterValidator(_variables)]
"""Environment variables, by name."""
Command = Annotated[str | tuple[str, ...], AfterValidator(_runnable)]
"""A shell line, given to ``/bin/sh -c`` as written, or an argument vector, run without a shell."""


def command_text(command: Command) -> str:
    """The command as a person would type it."""
    if isinstance(command, str):
        return command
    import shlex

    return shlex.join(command)


# -- ids -----------------------------------------------------------------------------------------------

MAX_ID_BYTES = 120
"""In UTF-8: an id is the name of a directory too, and file systems count bytes."""
_SLUG_BYTES = 100
"""So that an id made from a title has room for a number."""

_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")


def slug(title: str, longest: int = 60) -> str:
    """*title* as an id: its letters and digits in lower case, ``-`` between them, cut at a word.

    Of a link only its text counts. Empty where the title has neither letters nor digits; never longer than
    an id may be.
    """
    text = unicodedata.normalize("NFC", _LINK.sub(r"\1", title)).lower()
    words = "-".join(re.findall(r"[^\W_]+", text))
    room = min(longest, len(_cut(words, _SLUG_BYTES)))
    if len(words) <= room:
        return words
    return words[: room + 1].rpartition("-")[0] or words[:room]


def short_id(name: str) -> str:
    """*name*, or where it is too long for an id its beginning and a hash of all of it."""
    if len(name.encode()) <= MAX_ID_BYTES:
        return name
    end = f"-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return _cut(name, MAX_ID_BYTES - len(end)).rstrip("-.") + end


def free_id(wanted: str, taken: Collection[Container[str]]) -> str:
    """*wanted*, with a number behind it where it is *taken* already."""
    number, name = 1, wanted
    while any(name in names for names in taken):
        number += 1
        name = short_id(f"{wanted}-{number}")
    return name


def _cut(text: str, longest: int) -> str:
    """As much of the beginning of *text* as fits into *longest* bytes."""
    return text.encode()[:longest].decode(errors="ignore")


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Plan-shaped data with what *above* says in place of what *below* says, key by key."""
    made = dict(below)
    for key, value in above.items():
        inner = made.get(key)
        if isinstance(inner, Mapping) and isinstance(value, Mapping):
            value = laid_over(inner, value)
        made[key] = value
    return made
