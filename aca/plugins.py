"""Plug-ins that other packages bring for pydantic, kept out: looking for them takes long at every start.

What they would watch is none of their business.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_SWITCH = "PYDANTIC_DISABLE_PLUGINS"
"""The one there is: https://docs.pydantic.dev/latest/concepts/plugins/."""


@contextmanager
def kept_out() -> Iterator[None]:
    """Inside, pydantic does not look for any. Children of aca do not inherit that."""
    before = os.environ.get(_SWITCH)
    os.environ[_SWITCH] = "__all__"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SWITCH]
        else:
            os.environ[_SWITCH] = before
