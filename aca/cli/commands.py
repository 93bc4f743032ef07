"""Groups of commands, and what to say to a word that is none of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typer.core import TyperGroup

from aca.errors import did_you_mean


class Group(TyperGroup):
    """Names the nearest command where there is none of that name."""

    taker = ""
    """The command that takes a file, so that a file in the place of a command is told what was meant."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if self.get_command(ctx, args[0]) is None:
            ctx.fail(self.unknown(ctx, args[0]))
        return super().resolve_command(ctx, args)

    def unknown(self, ctx: Any, name: str) -> str:
        """What to say to a first argument that is no command."""
        called, names = f"{ctx.command_path} {self.taker}".strip(), self.list_commands(ctx)
        if self.taker and Path(name).is_file():
            return f'there is no command "{name}"; did you mean: {called} {name}'
        cure = did_you_mean(name, names)
        return f'there is no command "{name}"' + (f"; {cure}" if cure else "")


class PlanGroup(Group):
    """``aca plan FILE`` is most likely to show it."""

    taker = "show"
