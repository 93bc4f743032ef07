"""The real claude CLI against a scripted model on the loopback, with aca around it and without."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks import peers
from benchmarks.measure import Contender, Contest
from benchmarks.processes import Command
from tests.model_server import ModelServer, Turn, text, tool
from tests.real_parts import claude_environment

PROGRAM = Path(__file__).parent.parent / "tests" / "real" / "node_modules" / ".bin" / "claude"
EIGHT = 8


def agents(sizes: list[int], _peered: bool) -> Iterator[Contest]:
    """What aca adds to an agent that writes one file: one at a time, and eight at once."""
    claude = shutil.which("claude") or str(PROGRAM)
    if not Path(claude).exists():
        raise peers.MissingError("there is no claude CLI: tests/real/install-agents installs it")
    for count in sizes:
        for parallel in (1, EIGHT):
            with ModelServer() as server:
                env = _environment(server, count)
                contenders = [_alone(claude, count, parallel, env), _with_aca(claude, count, parallel, env)]
                yield Contest(f"{count} tasks for claude, {parallel} at once", contenders, count)


def _environment(server: ModelServer, count: int) -> dict[str, str]:
    """Each conversation writes the file that its prompt names, however often it is held."""
    for number in range(count):
        turns: list[Turn] = [[tool("Write", file_path=_file(number), content="hello\n")], [text("Done.")]]
        server.script("work", *turns * 100, when=f"Write {_file(number)} now")
    found = claude_environment(Path.home(), server.url("work"))
    return {name: value for name, value in found.items() if name not in ("HOME", "PATH")}


def _file(number: int) -> str:
    return f"file-{number:03}.txt"


def _alone(claude: str, count: int, parallel: int, env: dict[str, str]) -> Contender:
    """The program itself, started by xargs."""
    called = f"{claude} -p --output-format stream-json --verbose --permission-mode acceptEdits"

    def prepare(folder: Path) -> Command:
        names = " ".join(_file(number) for number in range(count))
        each = f"echo Write $0 now | {called} > $0.jsonl"
        return ["/bin/sh", "-c", f"echo {names} | xargs -n1 -P{parallel} sh -c '{each}'"]

    return Contender("claude -p", prepare, env)


def _with_aca(claude: str, count: int, parallel: int, env: dict[str, str]) -> Contender:
    def prepare(folder: Path) -> Command:
        names = [_file(number) for number in range(count)]
        tasks = [{"id": name, "title": f"Write {name} now", "touches": [name]} for name in names]
        plan = {
            "format_version": 1,
            "execution_mode": "parallel",
            "max_concurrent_tasks": parallel,
            "defaults": {"provider": "claude-cli"},
            "providers": {"claude-cli": {"command": [claude]}},
            "tasks": tasks,
        }
        (folder / "plan.json").write_text(json.dumps(plan))
        return [*peers.ACA, "run", "plan.json", "--quiet"]

    return Contender("aca", prepare, env)
