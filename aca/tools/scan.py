"""Lists or searches files: a program of its own, started by ``find``.

    scan.py list   ROOT PATH GLOB MOST
    scan.py search ROOT PATH GLOB MOST REGEX

A regular expression can take for ever, and a tree can be endless: here that stops nobody else.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

MAX_BYTES = 10_000_000
MAX_LINE = 300
LEFT_OUT = {".git", ".aca"}


def main(kind: str, root: str, path: str, glob: str, most: str, regex: str = "") -> None:
    matches = matcher(glob, path)
    wanted = (name for name in sorted(files(root, path)) if matches(name))
    lines = wanted if kind == "list" else found(wanted, re.compile(regex))
    for number, line in enumerate(lines):
        if number == int(most):
            print("(there is more: narrow it down)")
            return
        print(line)


def files(root: str, path: str) -> Iterator[str]:
    """Every file at or below *path*, what git ignores left out, by its name from here."""
    names = [path] if os.path.isfile(path) else known_to_git(path) or walk(path)
    for name in names:
        if os.path.isfile(name) and (not os.path.islink(name) or is_inside(name, root)):
            yield os.path.normpath(name)


def known_to_git(path: str) -> list[str]:
    """None where it is no repository, or where all of *path* is ignored by one around it."""
    git = ["git", "-c", "core.fsmonitor=false", "-C", path, "ls-files", "-z"]
    try:
        told = subprocess.run(
            [*git, "--cached", "--others", "--exclude-standard"], capture_output=True, check=False
        )
    except OSError:
        return []
    names = told.stdout.split(b"\0")[:-1] if told.returncode == 0 else []
    inside = (os.fsdecode(name) for name in names)
    return [os.path.join(path, name) for name in inside if not LEFT_OUT.intersection(name.split("/"))]


def walk(path: str) -> Iterator[str]:
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if name not in LEFT_OUT]
        yield from (os.path.join(folder, name) for name in names)


def is_inside(name: str, root: str) -> bool:
    return os.path.realpath(name).startswith(os.path.join(os.path.realpath(root), ""))


def matcher(glob: str, path: str) -> Callable[[str], object]:
    """``*.py`` is a name anywhere, ``src/**/*.py`` a path below *path*."""
    if "/" not in glob:
        pattern = re.compile(translated(glob))
        return lambda name: pattern.fullmatch(os.path.basename(name))
    pattern = re.compile(translated(glob.removeprefix("./")))
    return lambda name: pattern.fullmatch(os.path.relpath(name, path))


def translated(glob: str) -> str:
    """The glob as a regular expression; ``**`` crosses directories, ``{a,b}`` is either."""
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.findall(r"\*\*/|\*\*|\{[^{}]*\}|.", glob)
    return "".join(_either(piece) or known.get(piece) or re.escape(piece) for piece in pieces)


def _either(piece: str) -> str:
    if not (piece.startswith("{") and piece.endswith("}")):
        return ""
    return f"(?:{'|'.join(translated(choice) for choice in piece[1:-1].split(','))})"


def found(names: Iterator[str], pattern: re.Pattern[str]) -> Iterator[str]:
    """``name:line:text`` of every line that matches."""
    for name in names:
        for number, line in enumerate(text_of(name).splitlines(), 1):
            if pattern.search(line):
                yield f"{name}:{number}:{line.strip()[:MAX_LINE]}"


def text_of(name: str) -> str:
    """Empty where it is binary, too long, or not for us to read."""
    try:
        if os.path.getsize(name) > MAX_BYTES:
            return ""
        with open(name, "rb") as file:
            content = file.read()
    except OSError:
        return ""
    return "" if b"\0" in content else content.decode(errors="replace")


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    main(*sys.argv[1:])
