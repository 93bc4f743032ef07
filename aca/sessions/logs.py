"""The log of aca itself: one file per session, as text or as JSON lines."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aca.errors import MachineError
from aca.plans.settings import Logging


class JsonLines(logging.Formatter):
    """One JSON object per record."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": record.created,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


@contextmanager
def system_log(path: Path, settings: Logging) -> Iterator[None]:
    """Send what aca logs to *path* for as long as the context lasts. Raises MachineError."""
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise MachineError(f"{path}: cannot be written: {error.strerror}") from error
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if settings.structured else text)
    logger = logging.getLogger("aca")
    logger.setLevel(settings.level.upper())
    logger.addHandler(handler)
    # A full disk is told by whoever needs it; the log must not tell it again, on stderr.
    handler.handleError = lambda record: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        logger.removeHandler(handler)
        with suppress(OSError):
            handler.close()
