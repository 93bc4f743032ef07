"""A bench to use tools at."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from aca import tools
from aca.tools.base import Bench, ToolResult
from tests.places import place


def bench(tmp_path: Path) -> Bench:
    """An empty workspace ``work``, with room for logs beside it."""
    root = tmp_path / "work"
    root.mkdir(exist_ok=True)
    return Bench(place(root), tmp_path / "logs")


def use(tmp_path: Path, name: str, **arguments: Any) -> ToolResult:
    """Use a tool as a model does. Raises what it raises."""
    tool = tools.KINDS[name].model_validate(arguments)
    return asyncio.run(tool.use(bench(tmp_path)))


def write(tmp_path: Path, files: dict[str, str | bytes]) -> Path:
    """Put *files* into the workspace; returns it."""
    root = bench(tmp_path).place.root
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root
