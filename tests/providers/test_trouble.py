"""What goes wrong with a model is told apart, by what little the vendors say."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from aca.providers.models.trouble import CATEGORIES, CURES, Kind, ModelError


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ModelError("connection refused"), "transient"),
        (ModelError("overloaded", 200, "overloaded_error"), "transient"),
        (ModelError("slow down", 429, "rate_limit_error"), "transient"),
        (ModelError("slow down", 429, headers={"retry-after": "61"}), "quota"),
        (ModelError("down for maintenance", 503, headers={"retry-after": "86400"}), "quota"),
        (ModelError("overloaded", 529, headers={"retry-after": "60"}), "transient"),
        (ModelError("Request too large: too many tokens per minute", 429), "transient"),
        (ModelError("You exceeded your current quota", 429, "insufficient_quota"), "quota"),
        (ModelError("Your credit balance is too low", 400), "quota"),
        (ModelError("pay", 402), "quota"),
        (ModelError("who?", 401), "authentication"),
        (ModelError("no", 403), "permission"),
        (ModelError("no such model", 404), "request"),
        (ModelError("tools.0: bad", 400, "invalid_request_error"), "request"),
        (ModelError("prompt is too long: 210000 tokens > 200000 maximum", 400), "context"),
        (ModelError("This model's maximum context length is 8192 tokens", 400), "context"),
        (ModelError("exceeds the available context size", 500, "exceed_context_size_error"), "context"),
        (ModelError("too large", 413, "request_too_large"), "context"),
        (ModelError("flagged", 400, "content_policy_violation"), "refusal"),
        (ModelError("oops", 500), "transient"),
        (ModelError("what it says is known", 500, known="refusal"), "refusal"),
    ],
)
def test_each_trouble_is_of_its_kind(error: ModelError, kind: Kind) -> None:
    """By the vendor's code and words where they tell more than the status."""
    assert error.kind == kind


def test_every_kind_has_a_category_and_a_cure() -> None:
    """Nothing that can go wrong is without either; only time helps against what is of the moment."""
    assert CATEGORIES.keys() == CURES.keys()
    assert [kind for kind, cure in CURES.items() if not cure] == ["transient"]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, 604_800.0),
        ({"retry-after": "nan"}, 0.0),
        ({"retry-after": formatdate(time.time() - 100, usegmt=True)}, 0.0),
    ],
)
def test_the_wish_to_be_left_alone_is_read(headers: dict[str, str], seconds: float | None) -> None:
    """In seconds, in milliseconds; what cannot be read is no wish."""
    assert ModelError("", 429, headers=headers).pause == seconds


def test_a_date_is_a_wish_too() -> None:
    """The time until then."""
    until = formatdate(time.time() + 100, usegmt=True)
    assert ModelError("", 429, headers={"retry-after": until}).pause == pytest.approx(100, abs=5)


def test_a_reason_is_one_line_with_status_and_cure() -> None:
    """Short enough to be read, without any key."""
    reason = ModelError("bad\nkey " + "x" * 1000, 401).reason("openai", "OPENAI_API_KEY")
    assert reason.startswith("bad key xxx")
    assert reason.endswith("xxx (HTTP 401); set OPENAI_API_KEY to a key that is valid")
    assert len(reason) < 600
