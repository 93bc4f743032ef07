"""What every test may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A directory with a project in it, in which ``aca`` is run as its user does."""
    made = Project(tmp_path / "work", tmp_path / "home")
    yield made
    made.end()
