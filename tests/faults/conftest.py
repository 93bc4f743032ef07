"""What the tests that break things on purpose share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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
def model() -> Iterator[ModelServer]:
    with ModelServer() as one:
        yield one


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: a workspace in which nothing from outside can be seen."""
    for name in [name for name in os.environ if name.startswith("ACA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work
