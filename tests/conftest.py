"""What every test may ask for."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.faults.tally import Tally
from tests.model_server import ModelServer
from tests.project import Project

# How long one example takes depends on what else the machine does.
settings.register_profile("aca", deadline=None)
settings.load_profile("aca")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="try every fault there is, not only a sample")


def pytest_xdist_auto_num_workers() -> int | None:
    """Half as many again as there are cores: much of the time of tests is waiting for something."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # xdist itself heeds it
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + (cores + 1) // 2


def pytest_configure() -> None:
    """Heed signals that whoever started pytest ignores (nohup, a background job): children inherit that."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A directory with a project in it, in which ``aca`` is run as its user does."""
    made = Project(tmp_path / "work", tmp_path / "home")
    yield made
    made.end()


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A model to talk to, which plays what a test has it play."""
    with ModelServer() as one:
        yield one


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """To try everything takes as long as it takes."""
    for item in items if config.getoption("all") else ():
        item.add_marker(pytest.mark.timeout(0))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was broken on purpose, and what was lost by it."""
    reports = [one for some in terminalreporter.stats.values() for one in some]
    kept = [pair for one in reports for pair in getattr(one, "user_properties", ())]
    told = sorted({said for name, said in kept if name == "faults"})
    alone = Counter(said for name, said in kept if name == "fault")
    told += [str(Tally(name=f"{name}, a test each", tried=count)) for name, count in sorted(alone.items())]
    if told:
        terminalreporter.section("faults on purpose")
    for line in told:
        terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where CI is set nothing may be missing: a skipped test is a failure there."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and terminal and terminal.stats.get("skipped") and not session.exitstatus:
        terminal.write_line("\nA test was skipped, which is a failure where CI is set.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
