"""Progress for machines: every event and every step as one JSON line."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import msgspec

from aca import __version__
from aca.core import events as ev
from aca.core.state import SessionState
from aca.errors import exit_code
from aca.providers import clean
from aca.providers.base import Step
from aca.report.base import Reporter, Write
from aca.sessions.session import Session


class JsonLines(Reporter):
    """The first line has the type ``launch``, the last one ``done`` with exit code and reason.

    Remarks go to *remark*; *write* gets nothing but JSON. ``ended`` is how the run ended, once it has.
    """

    def __init__(self, write: Write, state: SessionState, session: Session, remark: Write) -> None:
        super().__init__(remark, state)
        self._line = write
        self._session = session
        self.ended: ev.RunEnded | None = None

    def __enter__(self) -> JsonLines:
        launch = {
            "type": "launch",
            "aca_version": __version__,
            "session": self._session.id,
            "path": clean.text(str(self._session.path)),
            "plan": self.state.plan.name,
            "tasks": len(self.state.tasks),
        }
        self._tell(launch)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        code, reason, until = _verdict(self.ended, error)
        done = {"type": "done", "exit_code": code, "reason": reason, "session": self._session.id}
        self._tell(done if until is None else {**done, "until": until})

    def event(self, event: ev.Event, state: SessionState) -> None:
        super().event(event, state)
        if isinstance(event, ev.RunEnded):
            self.ended = event
        self._tell(event)

    def step(self, task_id: str, step: Step) -> None:
        self._tell({"type": "step", "task": task_id, **msgspec.to_builtins(step)})

    def _tell(self, value: Any) -> None:
        self._line(msgspec.json.encode(value).decode())


def _verdict(ended: ev.RunEnded | None, error: BaseException | None) -> tuple[int, str, float | None]:
    if error is None and ended is not None:
        return ended.exit_code, ended.reason, ended.until
    assert error is not None  # a run that has not ended was ended by something
    return int(exit_code(error)), str(error) or type(error).__name__, None
