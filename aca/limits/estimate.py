"""What a call will use, before it is made: learned from what calls of the same model did use."""

from __future__ import annotations

import msgspec

BYTES_PER_TOKEN = 3.5
"""Of English text and code, more or less, with the tokenizers there are."""
FIRST_ANSWER = 500
"""Tokens of an answer of a model that nobody has heard yet."""
FADING = 0.95
"""How much an observation still counts when the next one comes."""


class Line(msgspec.Struct):
    """The straight line through recent points, older ones counting less and less: the sums of its fit."""

    weight: float = 0.0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    xy: float = 0.0

    def at(self, x: float, *, through_origin: bool = False) -> float:
        """Its height there. Where all points are in one place, it is level, or goes through the origin."""
        mean_x, mean_y = self.x / self.weight, self.y / self.weight
        variance = self.xx / self.weight - mean_x**2
        if variance < 1e-6 * mean_x**2 + 1.0:
            return mean_y * x / mean_x if through_origin and mean_x else mean_y
        slope = max(0.0, (self.xy / self.weight - mean_x * mean_y) / variance)
        return max(0.0, mean_y + slope * (x - mean_x))

    def take(self, x: float, y: float) -> None:
        self.weight = self.weight * FADING + 1.0
        for name, value in (("x", x), ("y", y), ("xx", x * x), ("xy", x * y)):
            setattr(self, name, getattr(self, name) * FADING + value)


class Estimate(msgspec.Struct):
    """Tokens sent and answered, each as a line over the bytes that were sent.

    A line, because every call has a part of the same size (instructions, tools) besides the conversation, and
    because answers may or may not be the longer the more was sent.
    """

    ins: Line = msgspec.field(default_factory=Line)
    outs: Line = msgspec.field(default_factory=Line)
    spread: float = 0.0
    """How far answers are from their line on average."""

    def sent(self, size: int) -> float:
        """Tokens that *size* bytes will count as."""
        if not self.ins.weight:
            return size / BYTES_PER_TOKEN
        return max(1.0, self.ins.at(size, through_origin=True))

    def answered(self, size: int, longest: int | None) -> float:
        """Tokens of the answer: rather too many, but no more than may be asked for."""
        guess = self.outs.at(size) + self.spread if self.outs.weight else FIRST_ANSWER
        return min(guess, longest) if longest else guess

    def learn(self, size: int, sent: float, answered: float) -> None:
        """A call that sent *size* bytes has counted as *sent* and *answered* tokens."""
        off = abs(answered - self.outs.at(size)) if self.outs.weight else 0.0
        self.ins.take(size, sent)
        self.outs.take(size, answered)
        self.spread += (off - self.spread) / self.outs.weight
