"""The same work, written for each contender: what its files look like and how it is called."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import peers
from benchmarks.measure import Contender
from benchmarks.processes import Command
from benchmarks.shapes import Graph

PROGRAMS = Path(__file__).parent / "programs"
PARALLEL = 2
SCRIPT = '[tasks."*"]\nsteps = [{ say = "Done." }]\n'
"""What replay plays where a task is to cost nothing."""
Commands = Sequence[Sequence[str]]


def true(graph: Graph) -> Commands:
    """Nothing to do, as a real process, for each task."""
    path = shutil.which("true") or "/bin/true"
    return [[path]] * len(graph)


def aca(graph: Graph, commands: Commands, parallel: int = PARALLEL, mode: str = "parallel") -> Contender:
    """aca with a command per task; its output is kept and every step journaled durably."""
    tasks = [
        {"id": f"t{number}", "title": f"Task {number}", "kind": "command", "command": list(commands[number]),
         "dependencies": [f"t{needed}" for needed in needs]}
        for number, needs in enumerate(graph)
    ]  # fmt: skip
    return Contender("aca", _plan({"tasks": tasks, "execution_mode": mode}, parallel))


def replay(graph: Graph, parallel: int = PARALLEL) -> Contender:
    """aca with an agent task per task, played by ``replay`` without any real work."""
    tasks = [
        {"id": f"t{number}", "title": f"Task {number}", "dependencies": [f"t{needed}" for needed in needs]}
        for number, needs in enumerate(graph)
    ]
    options = {"provider": "replay"}
    plan = {"defaults": options, "providers": {"replay": {"script": "script.toml"}}, "tasks": tasks}
    return Contender("aca", _plan(plan, parallel, {"script.toml": SCRIPT}))


def _plan(
    plan: dict[str, object], parallel: int, more: dict[str, str] | None = None
) -> Callable[[Path], Command]:
    whole = {"format_version": 1, "execution_mode": "parallel", "max_concurrent_tasks": parallel, **plan}

    def prepare(folder: Path) -> Command:
        (folder / "plan.json").write_text(json.dumps(whole))
        for name, text in (more or {}).items():
            (folder / name).write_text(text)
        return [*peers.ACA, "run", "plan.json", "--quiet"]

    return prepare


def program(
    name: str, interpreter: str, script: str, *arguments: str
) -> Callable[[Graph, Commands], Contender]:
    """A contender that is a Python program which reads ``graph.json``."""

    def contender(graph: Graph, commands: Commands) -> Contender:
        def prepare(folder: Path) -> Command:
            write_graph(folder, graph, commands)
            return [interpreter, str(PROGRAMS / script), *arguments]

        return Contender(name, prepare)

    return contender


def bare(graph: Graph, commands: Commands, parallel: int = PARALLEL) -> Contender:
    """What starts processes and nothing more."""
    return program("bare asyncio loop", sys.executable, "bare_loop.py", str(parallel))(graph, commands)


def write_graph(folder: Path, graph: Graph, commands: Commands, *, files: bool = False) -> None:
    (folder / "done").mkdir()
    work = {"needs": graph, "commands": [list(one) for one in commands], "files": files}
    (folder / "graph.json").write_text(json.dumps(work))


def make(graph: Graph, commands: Commands, parallel: int = PARALLEL) -> Contender:
    """GNU make; each task leaves a file, which is how it knows that a task is done."""
    found = peers.installed("make")

    def prepare(folder: Path) -> Command:
        write_graph(folder, graph, commands)
        rules = [
            f"done/{number}: {' '.join(f'done/{needed}' for needed in needs)}\n"
            f"\t@{' '.join(commands[number])} && : > $@\n"
            for number, needs in enumerate(graph)
        ]
        goals = " ".join(f"done/{number}" for number in range(len(graph)))
        (folder / "Makefile").write_text(f"all: {goals}\n" + "".join(rules))
        return [found, "-s", f"-j{parallel}"]

    return Contender("make", prepare)


def ninja(graph: Graph, commands: Commands, parallel: int = PARALLEL) -> Contender:
    """ninja, likewise."""
    found = peers.program("ninja")

    def prepare(folder: Path) -> Command:
        write_graph(folder, graph, commands)
        builds = [
            f"build done/{number}: one {' '.join(f'done/{needed}' for needed in needs)}\n"
            f"  line = {' '.join(commands[number])}\n"
            for number, needs in enumerate(graph)
        ]
        rule = "rule one\n  command = $line && : > $out\n"
        (folder / "build.ninja").write_text(rule + "".join(builds))
        return [found, "--quiet", f"-j{parallel}"]

    return Contender("ninja", prepare)


def doit(graph: Graph, commands: Commands, parallel: int = PARALLEL, *, files: bool = False) -> Contender:
    """doit, in threads, which take less than its processes. With *files* each task leaves one in the end."""
    found = peers.program("doit")

    def prepare(folder: Path) -> Command:
        write_graph(folder, graph, commands, files=files)
        tasks = ["-f", str(PROGRAMS / "dodo.py"), "-d", "."]
        return [found, *tasks, "-n", str(parallel), "--parallel-type", "thread"]

    return Contender("doit", prepare)


def snakemake(graph: Graph, commands: Commands, parallel: int = PARALLEL) -> Contender:
    """snakemake, a rule per task."""
    found = peers.program("snakemake")

    def prepare(folder: Path) -> Command:
        write_graph(folder, graph, commands)
        goals = ", ".join(f'"done/{number}"' for number in range(len(graph)))
        rules = [
            f"rule t{number}:\n  input: {', '.join(repr(f'done/{needed}') for needed in needs)}\n"
            f'  output: "done/{number}"\n  shell: "{" ".join(commands[number])} && touch {{output}}"\n'
            for number, needs in enumerate(graph)
        ]
        (folder / "Snakefile").write_text(f"rule all:\n  input: {goals}\n" + "".join(rules))
        return [found, "--quiet", "all", "--cores", str(parallel)]

    return Contender("snakemake", prepare)
