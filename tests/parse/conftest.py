"""What the tests of the parsers ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.parse.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty workspace."""
    return Desk(tmp_path)
