"""The report that is left behind where aca itself is at fault."""

from __future__ import annotations

import os
import platform
import re
import tempfile
import time
import traceback
from importlib import metadata
from pathlib import Path

from aca import __version__

PACKAGES = ("typer", "rich", "pydantic", "msgspec", "networkx", "markdown-it-py", "PyYAML", "psutil")
_SECRETS = re.compile(
    r"\b(?:sk|pk|ghp|gho|github_pat|xox[a-z]|glpat|AKIA)[-_]?[\w-]{12,}"
    r"|(?<=bearer )\S+"
    r"|(?<=key=)\S+|(?<=token=)\S+|(?<=secret=)\S+|(?<=password=)\S+",
    re.IGNORECASE,
)


def report(error: BaseException, arguments: list[str]) -> Path:
    """Write what a maintainer needs to know; returns where. The environment is not in it."""
    parts = [
        f"aca {__version__}, Python {platform.python_version()}, {platform.platform()}",
        ", ".join(_versions()),
        f"aca {' '.join(arguments)}",
        "".join(traceback.format_exception(error)),
    ]
    name = time.strftime(f"%Y%m%d-%H%M%S-{os.getpid()}.txt")
    return _write(name, masked("\n\n".join(parts)), _workspace(arguments))


def masked(text: str) -> str:
    """*text* without what looks like a key or a password."""
    return _SECRETS.sub("***", text)


def _versions() -> list[str]:
    return [f"{name} {_version(name)}" for name in PACKAGES]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "is missing"


def _workspace(arguments: list[str]) -> Path:
    """Where aca was to work. Options may not have been read yet when things went wrong."""
    for position, argument in enumerate(arguments):
        if argument == "--workspace" and position + 1 < len(arguments):
            return Path(arguments[position + 1])
        if argument.startswith("--workspace="):
            return Path(argument.partition("=")[2])
    return Path(os.environ.get("ACA_WORKSPACE") or ".")


def _write(name: str, text: str, workspace: Path) -> Path:
    from aca.sessions.session import IGNORE

    home = workspace.resolve() / ".aca"
    try:
        (home / "bugs").mkdir(parents=True, exist_ok=True)
        if not (home / ".gitignore").exists():
            (home / ".gitignore").write_text(IGNORE, encoding="utf-8")
        path = home / "bugs" / name
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except Exception:  # nothing may hide the bug itself, and the temporary directory is the last resort
        path = Path(tempfile.gettempdir()) / f"aca-bug-{name}"
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    return path
