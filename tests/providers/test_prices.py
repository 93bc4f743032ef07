"""What a call costs: cached tokens at their own price, and nothing at a price nobody knows."""

from __future__ import annotations

import pytest

from aca.core.events import Usage
from aca.plans.plan import Plan
from aca.plans.settings import Price
from aca.plans.task import Task
from aca.providers.prices import tariff
from aca.rules.retries import budget

MIXED = Usage(input_tokens=1000, output_tokens=100, cache_read_tokens=10_000, cache_write_tokens=500)
OWN = {"special": Price(input=2, output=10), "cached": Price(input=2, output=10, cache_read=1, cache_write=3)}


@pytest.mark.parametrize(
    ("provider", "model", "dollars"),
    [
        ("anything", "special", (11_500 * 2 + 100 * 10) / 1e6),
        ("anything", "cached", (1000 * 2 + 100 * 10 + 10_000 * 1 + 500 * 3) / 1e6),
        ("ollama", "special", (11_500 * 2 + 100 * 10) / 1e6),
        ("anthropic", "claude-haiku-4-5", (1000 * 1 + 100 * 5 + 10_000 * 0.1 + 500 * 1.25) / 1e6),
        ("ollama", "qwen3", 0.0),
        ("ollama", "gpt-oss:120b-cloud", None),
        ("anthropic", "no-such-model", None),
        ("codex-cli", "gpt-5.5", None),
        ("claude-cli", None, None),
    ],
)
def test_what_a_call_costs(provider: str, model: str | None, dollars: float | None) -> None:
    """By the plan's prices, then the vendor's list; local models are free, agents tell it themselves."""
    cost = tariff(Plan(prices=OWN), provider, model).cost(MIXED)
    assert cost == (None if dollars is None else pytest.approx(dollars))


def test_a_cost_that_was_told_stays() -> None:
    """Whoever asked for the money knows best."""
    assert tariff(Plan(prices=OWN), "claude-cli", "special").cost(Usage(input_tokens=5, cost_usd=0.5)) == 0.5


@pytest.mark.parametrize(
    ("count", "retries", "most"), [(1, None, 20), (10, None, 22), (1000, None, 220), (3, 100, 100)]
)
def test_how_many_failures_a_run_tries_again(count: int, retries: int | None, most: int) -> None:
    """Twenty and one for every five tasks, or what any one task may have by itself."""
    tasks = tuple(Task(id=f"t{number}", title="t", retries=retries) for number in range(count))
    assert budget(Plan(tasks=tasks)) == most
