"""What a test tried on purpose, and what went wrong: one way to say it for all of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

P = TypeVar("P")


@dataclass
class Losses:
    """What is wrong after one fault, in words; nothing is what there has to be."""

    lost: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    wrong_states: list[str] = field(default_factory=list)


@dataclass
class Tally(Losses):
    """All that one test tried. With *everything* (``pytest --all``) no point is left out."""

    name: str = ""
    everything: bool = False
    tried: int = 0
    of: int = 0

    def sample(self, points: Sequence[P], most: int) -> list[P]:
        """*most* of *points*, always the same ones, in their order; all of them where that is asked for."""
        self.of += len(points)
        if self.everything or len(points) <= most:
            return list(points)
        chosen = random.Random(self.name).sample(range(len(points)), most)
        return [points[number] for number in sorted(chosen)]

    def add(self, point: object, losses: Losses) -> None:
        """Count *point*, and what was wrong after it."""
        self.tried += 1
        for kind in ("lost", "repeated", "left_over", "wrong_states"):
            getattr(self, kind).extend(f"{point}: {one}" for one in getattr(losses, kind))

    @property
    def problems(self) -> list[str]:
        return [*self.lost, *self.repeated, *self.left_over, *self.wrong_states]

    def __str__(self) -> str:
        of = f" of {self.of:,}" if self.of > self.tried else ""
        counts = f"lost {len(self.lost)}, repeated {len(self.repeated)}, left over {len(self.left_over)}"
        return (
            f"{self.name}: {self.tried:,}{of} points tried, {counts}, wrong states {len(self.wrong_states)}"
        )
