"""Work in the user's own directory. Nothing is kept but what the agents tell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aca.workspaces.base import Ground, Kept, Open


@dataclass(frozen=True)
class Inplace(Open):
    """All tasks share one directory."""

    path: Path

    async def open(self, task_id: str, attempt: int) -> Ground:
        """The directory itself, as whoever was there before has left it."""
        return Ground(self.path, self.path)

    async def settle(self, ground: Ground) -> None:
        """There is nothing to set up."""

    async def keep(self, ground: Ground, task_id: str, attempt: int) -> Kept | None:
        """Nothing: a directory that others share belongs to no single attempt."""
        return None
