"""What is measured: each function gives contests, for some number of tasks, with peers or without."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import peers, work
from benchmarks.agents import agents
from benchmarks.makespan import makespan
from benchmarks.measure import Contender, Contest
from benchmarks.processes import Command, run, started
from benchmarks.rates import rates
from benchmarks.shapes import SHAPES, Graph, layered
from benchmarks.tokens import tokens

Make = Callable[[Graph, work.Commands], Contender]
MANY = 1000
"""With more tasks than that, nobody takes part who needs minutes for it."""
PROGRAMS = ("doit", "pre-commit", "llm", "inspect", "snakemake", "prefect")
"""Programs whose start is looked at."""


def overhead(sizes: list[int], peered: bool) -> Iterator[Contest]:
    """What a task costs that does nothing: as a command, and as an agent task."""
    for count in sizes:
        for shape, made in SHAPES.items():
            graph = made(count)
            everybody = peered and count <= MANY
            rivals: list[Make] = [work.aca, work.bare, *([work.make, work.ninja] if peered else [])]
            agents: list[Make] = [lambda graph, _: work.replay(graph)]
            if everybody:
                rivals.append(work.doit)
                agents.append(_dbos("steps"))
            if everybody and shape == "layered":
                rivals += [work.snakemake, _luigi, _dbos("commands")]
                agents += [_prefect, _inspect]
            yield _contest(f"{count} commands, {shape}", graph, rivals)
            yield _contest(f"{count} agent tasks, {shape}", graph, agents)


def growth(sizes: list[int], peered: bool) -> Iterator[Contest]:
    """The same agent task, more and more often: what one costs must not grow."""
    for count in sizes:
        yield _contest(f"{count} agent tasks", layered(count), [lambda graph, _: work.replay(graph)])


def resume(sizes: list[int], peered: bool) -> Iterator[Contest]:
    """Everything is done already: how long it takes to say so. Then what a kill half-way has left to do."""
    for count in sizes:
        graph, is_large = layered(count), count > MANY
        builders: list[Make] = [work.aca, *([work.make, work.ninja] if peered else [])]
        if peered and not is_large:
            builders.append(partial(work.doit, files=True))
        more: list[Make] = [work.snakemake, _dbos("commands")] if peered and not is_large else []
        title = f"nothing left to do of {count}"
        yield _contest(title, graph, map(_again, [*builders, *more]), counts=False)
        if not is_large:
            title = f"the rest of {count} commands, killed half-way"
            yield _contest(title, graph, map(_killed, builders), counts=False)


def start(_sizes: list[int], peered: bool) -> Iterator[Contest]:
    """How long it takes until a command has said its word."""
    aca = peers.ACA
    ours = [
        _command("aca --version", [*aca, "--version"]),
        _command("aca --help", [*aca, "--help"]),
        _command("aca status, no session", [*aca, "status"]),
        _status(1000),
        _command("bare Python", [sys.executable, "-c", "pass"]),
    ]
    theirs, missing = peers.to_be_had([_typer, *map(_version, PROGRAMS)] if peered else [])
    yield Contest("the first word", [*ours, *theirs], missing=missing)


def parse(sizes: list[int], peered: bool) -> Iterator[Contest]:
    """Reading a large file of tasks and saying what is in it, without running anything."""
    for count in sizes:
        contenders = [_read(kind, count) for kind in ("json", "toml", "md")]
        yield Contest(f"a dry run of {count} tasks", contenders, count)
        yield Contest(f"a plan of {count} tasks, checked", [_checked(count)], count)


CONTESTS: dict[str, tuple[Callable[[list[int], bool], Iterator[Contest]], list[int]]] = {
    "overhead": (overhead, [100, 1000, 10_000]),
    "growth": (growth, [1000, 10_000, 100_000]),
    "resume": (resume, [1000, 10_000]),
    "makespan": (makespan, [300]),
    "start": (start, [0]),
    "rates": (rates, [300]),
    "tokens": (tokens, [20]),
    "parse": (parse, [10_000, 100_000]),
    "agents": (agents, [8]),
}
"""Each with the numbers of tasks that it is held for."""

# -- the contenders that only matter here ------------------------------------------------------------------


def _contest(title: str, graph: Graph, rivals: Iterable[Make], *, counts: bool = True) -> Contest:
    """*counts* says whether what it takes is shown for each task."""
    commands = work.true(graph)
    contenders, missing = peers.to_be_had([partial(make, graph, commands) for make in rivals])
    return Contest(title, contenders, len(graph) if counts else 0, missing)


def _version(peer: str) -> Callable[[], Contender]:
    return lambda: _command(f"{peer} --version", [peers.program(peer), "--version"])


def _luigi(graph: Graph, commands: work.Commands) -> Contender:
    return work.program("luigi", peers.python("luigi"), "luigi_work.py")(graph, commands)


def _dbos(what: str) -> Make:
    def contender(graph: Graph, commands: work.Commands) -> Contender:
        arguments = ("dbos_work.py", what, str(work.PARALLEL))
        return work.program(f"DBOS, {what}", peers.python("dbos"), *arguments)(graph, commands)

    return contender


def _prefect(graph: Graph, commands: work.Commands) -> Contender:
    """prefect, whose database is there already, as where it was used before."""
    database = peers.prefect_database()
    first = work.program("prefect", peers.python("prefect"), "prefect_work.py")(graph, commands)

    def prepare(folder: Path) -> Command:
        shutil.copytree(database, folder / "prefect")
        return first.prepare(folder)

    return replace(first, prepare=prepare)


def _inspect(graph: Graph, commands: work.Commands) -> Contender:
    return work.program("Inspect AI, mock model", peers.python("inspect"), "inspect_work.py")(graph, commands)


def _again(make: Make) -> Make:
    """The same contender after it has done all of its work once, which is not measured."""

    def contender(graph: Graph, commands: work.Commands) -> Contender:
        first = make(graph, commands)

        def prepare(folder: Path) -> Command:
            command = first.prepare(folder)
            run(command, folder)
            return [*peers.ACA, "resume"] if first.name == "aca" else command

        return Contender(first.name, prepare)

    return contender


def _killed(make: Make) -> Make:
    """The same contender after it was killed when half of its work was done, which is not measured."""

    def contender(graph: Graph, commands: work.Commands) -> Contender:
        first = make(graph, commands)

        def prepare(folder: Path) -> Command:
            command, half = first.prepare(folder), max(1, len(graph) // 2)
            with started(command, folder) as child:
                while child.poll() is None and _done(folder) < half:
                    time.sleep(0.005)
                if child.returncode is None:
                    os.killpg(child.pid, signal.SIGKILL)
                    child.wait()
            return [*peers.ACA, "resume"] if first.name == "aca" else command

        return Contender(first.name, prepare)

    return contender


def _done(folder: Path) -> int:
    """How many tasks are done there, by aca's journal or by the files that others leave."""
    journals = folder.glob(".aca/sessions/*/journal.jsonl")
    told = sum(path.read_bytes().count(b'"type":"task_completed"') for path in journals)
    return told + len(list(folder.glob("done/*")))


def _command(name: str, command: Command) -> Contender:
    """A command that needs no files."""
    return Contender(name, lambda _folder: command)


def _status(count: int) -> Contender:
    graph = layered(count)
    first = work.replay(graph)

    def prepare(folder: Path) -> Command:
        run(first.prepare(folder), folder)
        return [*peers.ACA, "status"]

    return Contender(f"aca status, {count} tasks", prepare)


def _typer() -> Contender:
    """A program of one command, to see what the library alone takes."""
    interpreter = peers.python("bare typer")

    def prepare(folder: Path) -> Command:
        hello = ("@app.command()", "def hello(name: str = ''): ...", "app()")
        lines = ("import typer", "app = typer.Typer()", *hello)
        (folder / "hello.py").write_text("\n".join(lines))
        return [interpreter, "hello.py", "--help"]

    return Contender("bare typer --help", prepare)


def _read(kind: str, count: int) -> Contender:
    graph = layered(count)

    def prepare(folder: Path) -> Command:
        path = folder / f"tasks.{kind}"
        path.write_text(_WRITERS[kind](graph))
        (folder / "script.toml").write_text(work.SCRIPT)
        options = ["--provider", "replay", "--dry-run"]
        return [*peers.ACA, "run", path.name, *options]

    return Contender(kind, prepare)


def _checked(count: int) -> Contender:
    """A plan in JSON, read and validated and no more."""
    graph = layered(count)

    def prepare(folder: Path) -> Command:
        plan = json.loads(_json(graph)) | {"defaults": {"provider": "replay"}}
        (folder / "plan.json").write_text(json.dumps(plan, indent=1))
        (folder / "script.toml").write_text(work.SCRIPT)
        return [*peers.ACA, "plan", "validate", "plan.json"]

    return Contender("aca plan validate", prepare)


def _json(graph: Graph) -> str:
    tasks = [{"id": f"t{number}", "title": f"Task {number}", "dependencies": [f"t{one}" for one in needs]}
             for number, needs in enumerate(graph)]  # fmt: skip
    provider = {"replay": {"script": "script.toml"}}
    return json.dumps({"format_version": 1, "providers": provider, "tasks": tasks}, indent=1)


def _toml(graph: Graph) -> str:
    tasks = [f'[[tasks]]\nid = "t{number}"\ntitle = "Task {number}"\nneeds = {[f"t{one}" for one in needs]}\n'
             for number, needs in enumerate(graph)]  # fmt: skip
    return '[providers.replay]\nscript = "script.toml"\n' + "\n".join(tasks)


def _markdown(graph: Graph) -> str:
    lines = []
    for number, needs in enumerate(graph):
        needed = f' needs="{" ".join(f"t{one}" for one in needs)}"' if needs else ""
        lines.append(f"- [ ] Task {number} {{#t{number}{needed}}}")
    return '+++\n[providers.replay]\nscript = "script.toml"\n+++\n' + "\n".join(lines) + "\n"


_WRITERS = {"json": _json, "toml": _toml, "md": _markdown}
