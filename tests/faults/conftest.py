"""What the tests that break things on purpose share."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tests.faults.tally import Tally
from tests.model_server import ModelServer

_is_skipped = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that lacks a real part has tried nothing, and is not wrong for that.

    One that keeps no tally is a point by itself: it fails where anything is lost.
    """
    report = yield
    if call.when == "call":
        item.stash[_is_skipped] = report.skipped
        if report.passed and "tally" not in getattr(item, "fixturenames", ()):
            report.user_properties.append(("fault", item.path.stem.removeprefix("test_").replace("_", " ")))
    return report


@pytest.fixture
def tally(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Iterator[Tally]:
    """What the test tries; shown at the end of the run, and a failure where anything was wrong."""
    name = request.node.name.removeprefix("test_").replace("_", " ")
    one = Tally(name=name, everything=request.config.getoption("all"))
    yield one
    if one.tried:
        record_property("faults", str(one))
    if one.problems:
        pytest.fail("\n".join([str(one), *one.problems]))
    assert one.tried or request.node.stash.get(_is_skipped, True), "nothing was tried"


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
