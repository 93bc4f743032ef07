"""What a call will use, before it is made: learned from what earlier calls of the same model did use."""

from __future__ import annotations

import msgspec

BYTES_PER_TOKEN = 3.5
"""Of English text and code, more or less, with the tokenizers there are."""
FIRST_ANSWER = 1000
"""Tokens of an answer of a model that nobody has heard yet."""
FADING = 0.9
"""How much an observation still counts when the next one comes."""


class Estimate(msgspec.Struct):
    """The straight line through (bytes sent, tokens counted) of recent calls, and the length of answers.

    A line, because every call has a part of the same size (instructions, tools) besides the conversation.
    The sums are those of a least-squares fit, older calls counting less and less.
    """

    weight: float = 0.0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    xy: float = 0.0
    answer: float = 0.0
    spread: float = 0.0
    """How far answers are from ``answer`` on average."""

    def sent(self, size: int) -> float:
        """Tokens that *size* bytes will count as."""
        if not self.weight:
            return size / BYTES_PER_TOKEN
        mean_x, mean_y = self.x / self.weight, self.y / self.weight
        variance = self.xx / self.weight - mean_x**2
        if variance < 1.0:
            return mean_y * size / mean_x if mean_x else mean_y
        slope = max(0.0, (self.xy / self.weight - mean_x * mean_y) / variance)
        return max(1.0, mean_y + slope * (size - mean_x))

    def answered(self, longest: int | None) -> float:
        """Tokens of the answer: rather too many, but no more than may be asked for."""
        guess = self.answer + self.spread if self.weight else FIRST_ANSWER
        return min(guess, longest) if longest else guess

    def learn(self, size: int, sent: float, answered: float) -> None:
        """A call that sent *size* bytes has counted as *sent* and *answered* tokens."""
        for name, value in (("x", size), ("y", sent), ("xx", size * size), ("xy", size * sent)):
            setattr(self, name, getattr(self, name) * FADING + value)
        share = 1.0 / (self.weight * FADING + 1.0)
        self.weight = self.weight * FADING + 1.0
        off = abs(answered - self.answer) if share < 1.0 else 0.0
        self.answer += (answered - self.answer) * share
        self.spread += (off - self.spread) * share
