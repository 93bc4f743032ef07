"""Data and text that were right once, changed here and there."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 3.5, 1e308, 2**31, 2**63, 2**70),
    *(
        "",
        " ",
        "x",
        "0",
        "-1",
        "nan",
        "1h",
        "../..",
        "/",
        "~",
        "a b",
        "x" * 300,
        "\0",
        "\x1b[2J",
        "é\u2028漢",
    ),
    *([], [None], [[]], ["x", "x"], {}, {"": 1}, {"x": {"x": {}}}),
]
"""What people do not mean, and files hold all the same."""


def places(data: Any) -> list[tuple[Any, Any]]:
    """Each container in *data* with each key or index in it."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [place for key, value in inner for place in ((data, key), *places(value))]


@st.composite
def mutated(draw: st.DrawFn, data: Any) -> Any:
    """*data* with up to three things in it replaced, left out, repeated, or called another name."""
    changed = copy.deepcopy(data)
    for _ in range(draw(st.integers(1, 3))):
        found = places(changed)
        if not found:
            break
        container, key = found[draw(st.integers(0, len(found) - 1))]
        match draw(st.sampled_from(["replace", "remove", "repeat", "move"])):
            case "remove":
                del container[key]
            case "repeat" if isinstance(container, list):
                container.insert(key, copy.deepcopy(container[key]))
            case "move":
                other, where = found[draw(st.integers(0, len(found) - 1))]
                container[key] = copy.deepcopy(other[where]) if where in places_of(other) else None
            case _:
                container[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
    return changed


def places_of(container: Any) -> Any:
    return container if isinstance(container, dict) else range(len(container))


@st.composite
def broken(draw: st.DrawFn, data: bytes) -> bytes:
    """*data* with up to three pieces of it cut out, repeated, or overwritten."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 40)))
        put = draw(st.one_of(st.just(b""), st.binary(max_size=6), st.just(data[start:end] * 2)))
        data = data[:start] + put + data[end:]
    return data
