"""Keys in plans are looked for in all texts at once, and nowhere are they missed."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from aca.safety import secrets

_OTHERS = st.sampled_from(["task-12", 7, None, date(2026, 1, 31), float("inf"), 2**80, "\ud800"])
"""What plans hold besides, in TOML or on the command line; some of it JSON does not have."""


@given(st.from_regex(secrets._FORMS), _OTHERS)
def test_what_has_the_form_of_a_key_is_found(text: str, other: object) -> None:
    """Whatever stands around it, and beside it."""
    data = {"tasks": [{"id": other}, {"env": {"K": text}}]}
    assert [loc for loc, _ in secrets.lookalikes(data)] == [("tasks", 1, "env", "K")]
    assert list(secrets.lookalikes({"tasks": [{"id": other}]})) == []


@given(st.text(min_size=8), st.text(), _OTHERS)
def test_the_value_of_a_variable_is_found(secret: str, before: str, other: object) -> None:
    """Whatever is in it: quotes, line breaks, letters of any script."""
    data = {"tasks": [{"id": other}, {"command": ("echo", before + secret)}]}
    assert list(secrets.places(data, {"MY_KEY": secret})) == [(("tasks", 1, "command", 1), "MY_KEY")]
    assert list(secrets.places({"tasks": [{"id": other}]}, {"MY_KEY": "hunter-2-hunter"})) == []
