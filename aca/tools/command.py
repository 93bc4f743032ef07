"""Running commands."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from msgspec.structs import replace
from pydantic import Field

from aca.plans.values import format_duration
from aca.processes import process
from aca.processes.process import Ended
from aca.safety import secrets
from aca.safety.place import Place
from aca.tools.base import Bench, Tool, ToolError, ToolResult

HEAD, TAIL = 8_000, 22_000
"""How many bytes of the beginning and of the end of a long output are shown."""


class Run(Tool):
    """Run a shell command in the working directory. It gets no input; what it leaves running is ended. Of a
    long output the middle is left out."""

    name: ClassVar[str] = "run"
    writes: ClassVar[bool] = True

    command: str = Field(min_length=1)
    """A line for /bin/sh."""
    timeout: float = Field(default=120.0, gt=0, le=3600)
    """Seconds after which it is stopped."""

    @property
    def detail(self) -> str:
        return self.command

    async def use(self, bench: Bench) -> ToolResult:
        refuse(bench.place, self.command)
        output = bench.output("run")
        place = replace(bench.place, env=secrets.without(bench.place.env, bench.place.passed))
        ended = await process.run(self.command, place, output=output, timeout=self.timeout)
        secrets.strike_out_of(output)
        how = self._how(ended)
        return ToolResult(f"{shown(output)}\n({how})", error="" if how == "exit code 0" else how)

    def _how(self, ended: Ended) -> str:
        if ended.timed_out:
            return f"stopped: not done after {format_duration(self.timeout)}"
        return ended.how


def refuse(place: Place, command: str) -> None:
    """Raises ToolError where the plan keeps agents from running *command*."""
    if why := place.protection.command_refusal(command, str(place.root), str(place.path)):
        raise ToolError(why)


def shown(output: Path) -> str:
    """What was printed, of a long output the beginning and the end."""
    size = output.stat().st_size
    with output.open("rb") as file:
        if size <= HEAD + TAIL:
            return _text(file.read())
        head = file.read(HEAD)
        file.seek(size - TAIL)
        left_out = f"\n(… {size - HEAD - TAIL} bytes are left out here …)\n"
        return _text(head) + left_out + _text(file.read())


def _text(output: bytes) -> str:
    return output.decode(errors="replace").rstrip()
