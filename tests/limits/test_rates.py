"""So much per minute: never more than that, and what was reserved is put right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aca.limits.estimate import BYTES_PER_TOKEN, Estimate
from aca.limits.rates import MINUTE, Pool, Rate

moments = st.lists(st.tuples(st.floats(0, 50), st.floats(0.5, 400)), min_size=1, max_size=60)


@given(moments, st.floats(60, 2000), st.floats(1, 500))
def test_in_no_minute_more_is_used_than_allowed(
    wishes: list[tuple[float, float]], per_minute: float, burst: float
) -> None:
    """Whoever waits as long as told keeps to the limit, however the wishes come; a larger one goes alone."""
    rate, pool, now = Rate(per_minute, burst), Pool(), 1000.0
    used: list[tuple[float, float]] = []
    for pause, amount in wishes:
        now += pause
        now += pool.wait(amount, rate, now)
        assert pool.wait(amount, rate, now) <= 1e-3
        pool.use(amount, rate, now)
        used.append((now, amount))
    for begin, _ in used:
        within = [amount for at, amount in used if begin <= at < begin + MINUTE - 1e-3]
        assert sum(within) <= max(per_minute + 1e-3, max(within))


@given(moments, st.floats(60, 2000), st.floats(1, 500))
def test_nobody_waits_for_more_than_a_minute_after_the_one_before(
    wishes: list[tuple[float, float]], per_minute: float, burst: float
) -> None:
    """Beyond the time that paying off what was used takes."""
    rate, pool, now = Rate(per_minute, burst), Pool(), 1000.0
    for pause, amount in wishes:
        now += pause
        wait = pool.wait(amount, rate, now)
        assert wait <= max(1.01 * MINUTE, 1e-6 + sum(one for _, one in wishes) / rate.per_second)
        now += wait
        pool.use(amount, rate, now)


@given(st.lists(st.tuples(st.floats(1, 50), st.floats(0, 100)), min_size=1, max_size=30))
def test_what_was_reserved_is_put_right(calls: list[tuple[float, float]]) -> None:
    """In the end as much is remembered as was really used, whatever had been reserved."""
    rate, pool = Rate(1e6, 1e6), Pool()
    for number, (reserved, _) in enumerate(calls):
        pool.use(reserved, rate, 1000.0 + number)
    for number, (reserved, really) in enumerate(calls):
        pool.correct(reserved, really, 1000.0 + number, rate, 1031.0)
    assert pool.used(1031.0) == pytest.approx(sum(really for _, really in calls), abs=1e-6)


def test_a_call_of_over_a_minute_takes_nothing_from_others() -> None:
    """What it reserved is forgotten by then; that it used less gives nobody room that others used."""
    rate, pool = Rate(60_000, 60_000), Pool()
    pool.use(20_000, rate, 0.0)
    pool.use(30_000, rate, 95.0)
    pool.use(30_000, rate, 96.0)
    pool.correct(20_000, 1_000, 0.0, rate, 100.0)
    assert pool.used(100.0) == 60_000
    assert pool.wait(30_000, rate, 100.0) > 50


@pytest.mark.parametrize(("answered", "free"), [(1.5, 61.5), (30.0, 60.0)], ids=["soon", "late"])
def test_a_call_counts_from_when_it_was_answered_if_that_was_soon(answered: float, free: float) -> None:
    """It may have arrived so much later than it was let go; a late answer took the model so long."""
    rate, pool = Rate(60, 60), Pool()
    pool.use(60, rate, 0.0)
    pool.correct(60, 60, 0.0, rate, answered)
    now = answered + pool.wait(60, rate, answered)
    assert free <= now <= free + MINUTE * 0.01


def test_a_burst_goes_at_once_and_is_paid_off() -> None:
    """Then it goes on at the pace of the limit."""
    rate, pool = Rate(60, 5), Pool()
    waits = []
    for _ in range(8):
        waits.append(pool.wait(1, rate, 0.0))
        if not waits[-1]:
            pool.use(1, rate, 0.0)
    assert waits == [0, 0, 0, 0, 0, 1, 1, 1]


def test_a_clock_that_is_set_back_blocks_nobody() -> None:
    """What seems to lie in the future is over a minute later."""
    rate, pool = Rate(10, 10), Pool()
    for _ in range(10):
        pool.use(1, rate, 1_000_000.0)
    assert pool.wait(1, rate, 500_000.0) <= 1.01 * MINUTE


def test_what_the_provider_tells_counts_from_when_it_was_told() -> None:
    """What was used since is known here; the rest is the provider's to say."""
    rate, pool = Rate(60, 60), Pool()
    pool.use(10, rate, 100.0)
    pool.rebase(20, 99.0, rate, 100.0)
    assert pool.wait(12, rate, 100.0) == pytest.approx(1.0)
    assert pool.wait(11, rate, 100.0) == 0


# -- estimates --------------------------------------------------------------------------------------------


def test_the_first_estimate_is_by_the_size() -> None:
    """And no longer than may be asked for."""
    assert Estimate().sent(3500) == 3500 / BYTES_PER_TOKEN
    assert Estimate().answered(3500, 100) == 100


@given(st.floats(0.1, 2), st.integers(0, 5000), st.lists(st.integers(10, 100_000), min_size=5, max_size=40))
def test_estimates_learn_what_a_byte_is_and_what_always_comes_along(
    slope: float, always: int, sizes: list[int]
) -> None:
    """Where tokens really are a line over bytes, it is found."""
    estimate = Estimate()
    for size in sizes:
        estimate.learn(size, always + slope * size, 100)
    assert estimate.sent(sizes[-1]) == pytest.approx(always + slope * sizes[-1], rel=0.1, abs=5)
    assert estimate.answered(sizes[0], None) == pytest.approx(100, rel=0.5)
