"""Where a server is: an address as people write it, looked at before anybody calls there."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import Url

from aca.errors import InputError, Problem


def base_url(text: str) -> str:
    """*text*, where it is empty or a server's address: ``https://api.example.org/v1``. Raises ValueError."""
    if text:
        _look(text, text, "http://127.0.0.1:8080/v1")
    return text


def host(text: str) -> str:
    """The same of an address whose beginning may be left out: ``192.168.1.7:11434``, ``:11434``."""
    if text:
        before = "http://127.0.0.1" if text.startswith(":") else "" if "://" in text else "http://"
        _look(text, before + text, "http://127.0.0.1:11434")
    return text


BaseUrl = Annotated[str, AfterValidator(base_url)]
Host = Annotated[str, AfterValidator(host)]


def given(said: str | None, variable: str, checked: Callable[[str], str]) -> str | None:
    """The address that the plan has *said*, else that in the environment's *variable*; None where there is
    none. Raises InputError where the variable holds no address: libraries read it in any case."""
    try:
        found = checked(os.environ.get(variable, ""))
    except ValueError as error:
        raise InputError(Problem(f"{variable}: {error}")) from None
    return said or found or None


def _look(text: str, whole: str, example: str) -> None:
    try:
        Url(whole)
        is_one = whole.lower().startswith(("http://", "https://"))
    except ValueError:
        is_one = False
    if not is_one:
        raise ValueError(f'"{text}" is no address of a server; write one like {example}')
