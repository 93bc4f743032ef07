"""What the tests that break things on purpose share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.faults.sites import Server
from tests.faults.tally import Tally
from tests.model_server import ModelServer


@pytest.fixture
def tally(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Iterator[Tally]:
    """What the test tries; shown at the end of the run, and a failure where anything was wrong."""
    name = request.node.name.removeprefix("test_").replace("_", " ")
    one = Tally(name=name, everything=request.config.getoption("all"))
    yield one
    record_property("faults", str(one))
    if one.problems:
        pytest.fail("\n".join([str(one), *one.problems]))
    assert one.tried, "nothing was tried"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    with ModelServer() as one:
        yield one
