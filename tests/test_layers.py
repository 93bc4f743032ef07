"""Arrows point one way, and heavy packages stay where they are used."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import aca
from aca.cli import root

ROOT = Path(aca.__file__).parent
LAYERS = [
    ["errors", "garbage", "plugins", "walk", "safety"],
    ["plans", "user_state", "stop"],
    ["core", "processes"],
    ["rules", "sessions", "tools", "parse"],
    ["run", "providers"],
    ["limits", "workspaces"],
    ["attempts"],
    ["preparation", "report"],
    ["planner", "messaging", "runner"],
    ["app"],
    ["cli"],
    ["__main__"],
]
"""From the bottom up: a file or folder may import from the lines above its own, and a folder from itself."""
_FIRST = re.compile(r"(?:^|  )([a-z_]+)(?=  )")
"""In the picture of the layers: a word with space around it has its explanation behind it."""
PURE = ["plans", "core"]
"""Folders of values and questions."""
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


@cache
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


def test_imports_point_down() -> None:
    """No module imports one from a layer above its own, nor a neighbour in its own."""
    height = {name: level for level, layer in enumerate(LAYERS) for name in layer}
    wrong = [
        f"{path} imports aca.{other}"
        for path in modules()
        for other in _units_needed(path) - {unit(path)}
        if height[other] >= height.get(unit(path), len(LAYERS))
    ]
    assert not wrong


def _units_needed(path: str) -> set[str]:
    """The files and folders of aca that it imports from, wherever it does so."""
    names = (name.split(".") for name in imports(modules()[path], top_level=False))
    return {parts[1] for parts in names if parts[0] == "aca" and len(parts) > 1} & {*map(unit, modules())}


def test_the_picture_in_the_docs_is_true() -> None:
    """There, too, what is imported stands below what imports it."""
    text = (ROOT.parent / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    picture = text.partition("## The layers")[2].split("```")[1].strip().splitlines()
    units = {*map(unit, modules())}
    line = {name: n for n, words in enumerate(picture) for name in _FIRST.findall(words) if name in units}
    assert {one.split("/")[0] for one in modules() if "/" in one} <= line.keys()
    wrong = [
        f"{path} imports aca.{other}"
        for path in modules()
        for other in (_units_needed(path) & line.keys()) - {unit(path)}
        if line[other] <= line.get(unit(path), -1)
    ]
    assert not wrong


def test_a_folder_says_what_each_of_its_files_is_for() -> None:
    """In its docstring, by name; but for the commands, of which each has a file of its name."""
    for folder in (path.parent for path in modules().values() if path.name == "__init__.py"):
        if folder != ROOT:  # which the picture in the docs is for
            told = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
            files = {one.stem for one in folder.glob("*.py")} - {"__init__"}
            files |= {one.parent.name for one in folder.glob("*/__init__.py")}
            commands = {*root.COMMANDS, *root.GROUPS} if folder == ROOT / "cli" else set()
            missing = files - commands - set(re.findall(r"\w+", told))
            assert not missing, f"{folder.name} does not say what {missing} are for"


def test_values_do_no_io_and_are_not_async() -> None:
    """What they say follows from what they are."""
    for path in (path for path in modules() if unit(path) in PURE):
        tree = ast.parse(modules()[path].read_text(encoding="utf-8"))
        waits = [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.Await)]
        assert not waits, path
        assert not imports(modules()[path], top_level=False) & IMPURE, path


def test_no_imports_go_in_circles() -> None:
    """Nor within a folder, by whatever way."""
    TopologicalSorter({name: _needed(name) for name in dotted()}).prepare()


@cache
def dotted() -> dict[str, Path]:
    """The modules by the names they are imported by."""
    return {
        f"aca.{path.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}": file
        for path, file in modules().items()
    }


def _needed(name: str) -> set[str]:
    """The modules that it imports. One that is taken out of a folder does not stand for the folder."""
    found = (imports(dotted()[name], top_level=True) & dotted().keys()) - {name}
    return {one for one in found if not any(other.startswith(f"{one}.") for other in found)}


def test_heavy_packages_are_imported_only_when_used() -> None:
    """No module pulls in an SDK or networkx by being imported."""
    for path, file in modules().items():
        roots = {found.split(".")[0] for found in imports(file, top_level=True)}
        allowed = {"yaml"} if path == "parse/yaml.py" else set()  # which is imported only when used
        assert not roots & (LAZY - allowed), path


def test_importing_aca_does_nothing() -> None:
    """The front door is quiet: no third-party module, no output."""
    code = "import sys, aca; print([name for name in ('pydantic', 'typer') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
