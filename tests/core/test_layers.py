"""Arrows point one way, and heavy packages stay where they are used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import aca

ROOT = Path(aca.__file__).parent
LAYERS = [
    ["errors"],
    ["values", "output", "protection", "wording", "user_state", "garbage"],
    ["container"],
    ["plan"],
    ["faults", "contract"],
    ["events", "difference"],
    ["spent", "progress"],
    ["state", "schedule", "touches"],
    [
        "graph",
        "place",
        "walk",
        "leftovers",
        "keys",
        "budget",
        "prices",
        "retries",
        "servants",
        "stop",
        "user_state",
    ],
    ["answers", "verdict", "last_word", "spawn"],
    ["process", "patch", "reshape", "secrets", "estimate", "guard", "charges"],
    ["remedy", "bubblewrap"],
    ["journal", "logs", "messages"],
    ["session", "tools"],
    ["run", "prompt", "checks", "providers", "parse", "history", "workspaces", "derived"],
    ["kept"],
    ["recap", "remarks", "merge", "work", "containers", "rights"],
    ["site", "limits", "clean"],
    ["accounting"],
    ["consultation"],
    ["attempt", "config", "trial", "drift"],
    ["prepare", "schemas"],
    ["planner", "telling"],
    ["approval", "resumption", "collection", "addition", "rewriting"],
    ["runner"],
    ["app", "audience"],
    ["report"],
    ["cli"],
    ["__main__"],
]
"""From the bottom up: a module may import from its own line (within one folder) and those above it."""
CORE = [
    "errors",
    "values",
    "output",
    "protection",
    "container",
    "plan",
    "faults",
    "contract",
    "difference",
    "events",
    "spent",
    "progress",
]
CORE += ["progress", "state", "schedule", "touches", "graph", "budget", "estimate"]
IMPURE = {"asyncio", "os", "pathlib.Path", "subprocess", "time", "socket", "threading", "random", "tempfile"}
LAZY = {
    "networkx",
    "anthropic",
    "claude_agent_sdk",
    "openai",
    "ollama",
    "docker",
    "diskcache",
    "tenacity",
    "markdown_it",
    "genai_prices",
    "psutil",
    "jsonschema",
    "referencing",
    "keyring",
    "yaml",
    "tomlkit",
}


def modules() -> dict[str, Path]:
    return {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py"))}


def unit(path: str) -> str:
    return path.split("/")[0].removesuffix(".py")


def imports(path: Path, *, top_level: bool) -> set[str]:
    """Dotted names that the file imports, type checking blocks aside."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(tree.body) if top_level else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def test_every_module_has_its_place_in_the_layers() -> None:
    """A new file must be put into the order before it can be imported."""
    placed = {name for layer in LAYERS for name in layer} | {"__init__"}
    assert {unit(path) for path in modules()} <= placed


@pytest.mark.parametrize("path", modules())
def test_imports_point_down(path: str) -> None:
    """No module imports one from a layer above its own, nor a neighbour in its own."""
    height = {name: level for level, layer in enumerate(LAYERS) for name in layer}
    mine = unit(path)
    if mine == "__init__":
        return
    for name in imports(modules()[path], top_level=False):
        parts = name.split(".")
        if parts[0] != "aca" or len(parts) < 2 or parts[1] not in height or parts[1] == mine:
            continue
        assert height[parts[1]] < height[mine], f"{path} imports aca.{parts[1]}"


@pytest.mark.parametrize("name", CORE)
def test_the_core_does_no_io_and_is_not_async(name: str) -> None:
    """The core is values and questions."""
    tree = ast.parse((ROOT / f"{name}.py").read_text(encoding="utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.Await)]
    assert not imports(ROOT / f"{name}.py", top_level=False) & IMPURE


@pytest.mark.parametrize("path", modules())
def test_heavy_packages_are_imported_only_when_used(path: str) -> None:
    """No module pulls in an SDK or networkx by being imported."""
    roots = {found.split(".")[0] for found in imports(modules()[path], top_level=True)}
    allowed = {"yaml"} if path == "parse/yaml.py" else set()  # which is imported only when used
    assert not roots & (LAZY - allowed)


def test_importing_aca_does_nothing() -> None:
    """The front door is quiet: no third-party module, no output."""
    code = "import sys, aca; print([name for name in ('pydantic', 'typer') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
