"""What claude is told, on its command line, of what a plan keeps agents from.

Its own settings say which files it does not edit. Which commands it does not run it asks aca, before each
(``aca.providers.claude.guard``), so that a rule means the same for every agent; in a container, where aca is
not, it asks nobody.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from aca.providers.claude import guard as claude_guard
from aca.providers.programs import directories
from aca.safety.place import Needs, Place
from aca.safety.protection import Protection

FIXED = ("settings.json", "settings.local.json", "CLAUDE.md", "agents", "commands", "hooks", "skills")
"""What in claude's own directory says what it does, the next time too."""
CLAUDE_MD = "CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD"
"""Has claude read CLAUDE.md in directories it is given, though it does not read the settings beside it."""


def prepared(place: Place, is_trusted: bool, env: Mapping[str, str]) -> Place:
    """*place* with what claude needs there: more variables, and its own directory."""
    more = {} if is_trusted else {CLAUDE_MD: "1"}
    home = "$CLAUDE_CONFIG_DIR" if place.env.get("CLAUDE_CONFIG_DIR") else "~/.claude"
    own = directories([home], place)
    is_held = place.enclosure is not None and not place.brings_programs
    for settings in (path / FIXED[0] for path in own if is_held):
        if not settings.exists():  # nothing else keeps an agent from writing it
            settings.write_text("{}\n", encoding="utf-8")
    needs = Needs(own, tuple(path / name for path in own for name in FIXED))
    return replace(place, env={**place.env, **env, **more}, needs=needs)


def arguments(place: Place, is_trusted: bool) -> list[str]:
    """What makes claude keep to the plan's rules, and to nobody's settings but its user's and aca's."""
    argv = ["--settings", json.dumps(_settings(place))]
    if is_trusted:
        return argv
    argv += ["--setting-sources", "user", "--strict-mcp-config"]
    return [*argv, "--add-dir", *dict.fromkeys(map(place.seen, (place.path, place.root)))]


def _settings(place: Place) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "permissions": {"deny": list(_denied(place.protection, place.seen(place.root)))}
    }
    if place.protection.commands and not place.brings_programs:
        ask = [sys.executable, "-I", "-S", claude_guard.__file__, str(place.root), *place.protection.commands]
        hook = {"type": "command", "command": shlex.join(ask)}
        settings["hooks"] = {"PreToolUse": [{"matcher": "Bash", "hooks": [hook]}]}
    return settings


def _denied(protection: Protection, root: str) -> Iterator[str]:
    """Rules of claude's: ``//`` in front is the root of the disk, and Edit is every tool that edits."""
    for rule in protection.paths:
        where = f"/{root}/{rule.strip('/')}" if "/" in rule.strip("/") else f"**/{rule.strip('/')}"
        yield from (f"Edit({where})", f"Edit({where}/**)")
