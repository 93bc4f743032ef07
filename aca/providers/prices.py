"""What calls of models cost: by the plan's own prices, else by the vendors' price lists.

The lists come with the package genai-prices, which knows them offline. What neither knows is not known, and
never free.
"""

from __future__ import annotations

import msgspec

from aca.core.events import Usage
from aca.plans.plan import Plan
from aca.plans.settings import Price

VENDORS = {"anthropic": "anthropic", "openai": "openai"}
"""Provider -> whose list its models are on."""
LOCAL = "ollama"
ELSEWHERE = "cloud"
"""How the names of Ollama's models end that do not run on one's own machine."""
MILLION = 1_000_000


class Tariff(msgspec.Struct, frozen=True):
    """What a provider's model costs; ``own`` is what the plan says of it."""

    provider: str
    model: str
    own: Price | None = None

    def cost(self, usage: Usage) -> float | None:
        """Of one call, in dollars; None where it is not known. A cost that was told stays."""
        if usage.cost_usd is not None:
            return usage.cost_usd
        if self.own is not None:
            return _by_price(self.own, usage)
        if self.provider == LOCAL and not self.model.endswith(ELSEWHERE):
            return 0.0
        vendor = VENDORS.get(self.provider)
        return _by_list(vendor, self.model, usage) if vendor else None

    @property
    def is_known(self) -> bool:
        return self.cost(Usage(input_tokens=1)) is not None


def tariff(plan: Plan, provider: str, model: str | None) -> Tariff:
    """Of *provider* with *model*, which it may not tell."""
    return Tariff(provider, model or "", plan.prices.get(model or ""))


def _by_price(price: Price, usage: Usage) -> float:
    read = price.input if price.cache_read is None else price.cache_read
    write = price.input if price.cache_write is None else price.cache_write
    dollars = (
        usage.input_tokens * price.input
        + usage.output_tokens * price.output
        + usage.cache_read_tokens * read
        + usage.cache_write_tokens * write
    )
    return dollars / MILLION


def _by_list(vendor: str, model: str, usage: Usage) -> float | None:
    """The lists count cached tokens as a part of the input."""
    import genai_prices

    given = genai_prices.Usage(
        input_tokens=usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
    try:
        return float(genai_prices.calc_price(given, model, provider_id=vendor).total_price)
    except LookupError:
        return None
