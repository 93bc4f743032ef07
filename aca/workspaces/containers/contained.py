"""A container in which an attempt's programs run, each started by the engine as aca asks for it."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from aca.core.events import ContainerUse
from aca.plans.container import HOME
from aca.safety.place import Place, Started
from aca.workspaces.base import finished
from aca.workspaces.containers.engine import Engine, EngineError, Left
from aca.workspaces.containers.execution import Execution, run

ALIVE = "while :; do sleep 86400 & wait; done"
"""What the first process does: nothing, and take over what others leave behind."""
_SWEEP = "kill -s KILL -- -1"
"""Reaches all but the first process, and whoever says it."""
_PASSED = re.compile(
    r"(ANTHROPIC|CLAUDE|OPENAI|CODEX|GEMINI|GOOGLE_API|GOOGLE_GEMINI|GOOGLE_GENAI|OLLAMA)_|(LANG|LC_\w+|TZ|TERM)$"
)
"""Of aca's own environment what agents are set up with, and how text is written here."""
_PLACES = {"CLAUDE_CONFIG_DIR", "CODEX_HOME"}
"""Of these those that name a directory here."""
_MEASURE = r"""
cd /sys/fs/cgroup
for file in memory.events memory.peak cpu.stat memory/memory.oom_control memory/memory.max_usage_in_bytes \
    cpuacct/cpuacct.usage; do
    [ -r $file ] && while read -r line; do echo "$file $line"; done <$file
done
"""
"""What the kernel has counted for the container, in its second version of control groups and its first."""
_KILLS = ("memory.events oom_kill", "memory/memory.oom_control oom_kill")
_PEAKS = ("memory.peak", "memory/memory.max_usage_in_bytes")
_TIMES = {"cpu.stat usage_usec": 1e6, "cpuacct/cpuacct.usage": 1e9}


class View(msgspec.Struct, frozen=True):
    """A directory outside, and what it is called inside."""

    outside: Path
    inside: PurePosixPath


class Contained:
    """A running container: the enclosure of what an attempt starts."""

    brings_programs = True

    def __init__(
        self,
        engine: Engine,
        container: Left,
        views: Sequence[View],
        passed: Callable[[str], bool],
        close: Callable[[], None],
    ) -> None:
        self.engine, self.container, self._views = engine, container, views
        self._passed, self._close = passed, close
        self._running = 0

    # -- as an enclosure ------------------------------------------------------------------------------

    async def start(
        self, argv: Sequence[str], place: Place, stdin: int | None, stdout: int, stderr: int
    ) -> Started:
        """Start *argv* in the container."""
        started = Execution(self.engine, self.container.name, self._ended, self._sweep)
        directory, env = PurePosixPath(self.seen(place.path)), self._environment(place)
        self._running += 1
        try:
            await finished(lambda: started.start(argv, directory, env, stdin, stdout, stderr))
        except BaseException:
            self._running -= 1
            raise
        return started

    def seen(self, path: Path) -> str:
        """What *path* is called inside; as it is where it is not to be seen there."""
        for view in self._views:
            if path.is_relative_to(view.outside):
                return str(view.inside / path.relative_to(view.outside))
        return str(path)

    def meant(self, name: str) -> str:
        """What *name*, as it is said inside, is called outside."""
        for view in self._views:
            if PurePosixPath(name).is_relative_to(view.inside):
                return str(view.outside / PurePosixPath(name).relative_to(view.inside))
        return name

    def _environment(self, place: Place) -> dict[str, str]:
        """What differs from aca's own environment, and of that what is passed on."""
        return {"HOME": HOME} | {
            name: value
            for name, value in place.env.items()
            if name in place.passed or self._passed(name) or os.environ.get(name) != value
        }

    def _ended(self) -> None:
        self._running -= 1

    def _sweep(self) -> None:
        if not self._running:
            run(self.engine, self.container.id, _SWEEP)

    # -- at the end -----------------------------------------------------------------------------------

    async def close(self) -> ContainerUse | None:
        """Remove it. What it has used, where the engine still tells."""
        use = None
        try:
            use = await asyncio.to_thread(self._use)
        finally:
            await finished(self._close)
        return use

    def _use(self) -> ContainerUse | None:
        try:
            return used(run(self.engine, self.container.id, _MEASURE))
        except EngineError:
            return None


def passes(more: Sequence[str]) -> Callable[[str], bool]:
    """Which variables of aca's own environment reach what runs in containers: the usual ones, and *more*."""
    return lambda name: name in more or (_PASSED.match(name) is not None and name not in _PLACES)


def used(measured: str) -> ContainerUse:
    """What the lines ``FILE [KEY] NUMBER`` say."""
    counts: Mapping[str, int] = {
        name: int(number)
        for name, _, number in (line.rpartition(" ") for line in measured.splitlines())
        if number.isdigit()
    }
    return ContainerUse(
        peak_memory=max((counts[name] for name in _PEAKS if name in counts), default=None),
        cpu_seconds=next(
            (round(counts[name] / per, 3) for name, per in _TIMES.items() if name in counts), None
        ),
        oom_kills=sum(counts.get(name, 0) for name in _KILLS),
    )
