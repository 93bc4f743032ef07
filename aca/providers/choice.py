"""Who does agent tasks where nobody says who should."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aca import providers
from aca.errors import Problem

PREFERRED: dict[str, tuple[str, str]] = {
    "claude-cli": (
        "its program is here",
        "install the claude CLI (`npm install -g @anthropic-ai/claude-code`) and run it once",
    ),
    "anthropic": ("it has a key", "set ANTHROPIC_API_KEY"),
    "openai": ("it has a key, or a server that may need none", "set OPENAI_API_KEY"),
    "ollama": ("its server answers", "start Ollama on this machine: https://ollama.com"),
}
"""In this order; what shows that each is here, and the shortest way to get it."""
ON_REQUEST = ("claude-sdk", "codex-cli")
"""These do only what names them."""
WAYS = 3


def choose(sections: Mapping[str, Mapping[str, Any]]) -> tuple[str, str] | None:
    """The first provider that is here, and what shows it. *sections* are the plan's, by provider.

    No program is started for it: a dry run chooses, too.
    """
    for name, (sign, _) in PREFERRED.items():
        try:
            if not providers.problems(name, sections.get(name, {}), (), Path()):
                return name, sign
        except ValidationError:  # somebody means to use it: what is wrong is told with its line
            return name, "it has settings"
    return None


def none_here() -> Problem:
    """What to say where nothing says who does agent tasks, and none that is chosen unasked is here."""
    asked = [name for name in ON_REQUEST if not providers.problems(name, {}, (), Path())]
    ways = [f"say that {name} does them, which is here: --provider {name}" for name in asked]
    ways += [way for _, way in PREFERRED.values()][:WAYS]
    lines = [
        "any of these gives you one:",
        *(f"  - {way}" for way in ways),
        "a task that runs a command needs none: - [ ] Test it {run=pytest}",
    ]
    why = "no provider is named" if asked else "no provider is here"
    return Problem(f"{why} to do the agent tasks", "\n   ".join(lines))
