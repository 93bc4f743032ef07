"""Progress in a terminal: a tree that is drawn again four times a second.

A small plan is shown whole; of a large one what runs and what has just ended, so that drawing costs the
same for ten thousand tasks. The screen is drawn by a thread of its own: it sees only what ``event`` and
``step`` have put aside for it under a lock.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType

import msgspec
from rich.console import Console
from rich.live import Live
from rich.text import Text

from aca.core import events as ev
from aca.core.progress import Status
from aca.core.state import SessionState
from aca.providers.base import Changed, Said, Step, Used, Waiting
from aca.report import words
from aca.report.base import Reporter, Tally
from aca.report.lines import remarks, used_text, worker
from aca.report.spending import running_total
from aca.report.tree import label, walk

REFRESH_PER_SECOND = 4
RECENT = 8
"""How many ended tasks of a large plan stay on the screen."""
STYLES: dict[Status, str] = {
    "pending": "dim",
    "in_progress": "cyan",
    "blocked": "yellow",
    "completed": "green",
    "failed": "red",
    "skipped": "dim",
}


class _Row(msgspec.Struct):
    """What the screen shows of one task."""

    label: str
    depth: int
    status: Status
    began: float = 0.0
    told: str = ""
    waits_until: float = 0.0


class LiveTree(Reporter):
    """Draws on *console* while the context lasts, and leaves nothing but remarks behind."""

    def __init__(self, console: Console, state: SessionState, clock: Callable[[], float] = time.time) -> None:
        super().__init__(self._remark, state)
        self._console, self._clock = console, clock
        self._began = clock()
        self._marks: Mapping[Status, str] = words.marks(console.encoding)
        self._lock = threading.Lock()
        self._tally = Tally(state)
        self._rows: dict[str, _Row] = {}
        self._completed: dict[str, int] = {}
        self._running: dict[str, None] = {}
        self._recent: deque[str] = deque(maxlen=RECENT)
        self._add_rows()
        self._live = Live(
            get_renderable=self.draw,
            console=console,
            refresh_per_second=REFRESH_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> LiveTree:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def event(self, event: ev.Event, state: SessionState) -> None:
        with self._lock:
            super().event(event, state)
            self._tally.note(event, state)
            if len(self._rows) < len(state.tasks):
                self._add_rows()
            task_id = getattr(event, "task", None)
            if task_id is not None and not isinstance(event, ev.Aside):
                self._update(task_id, event)
        for told in remarks(event):
            self._remark(told)

    def step(self, task_id: str, step: Step) -> None:
        told = _told(step)
        if told:
            with self._lock:
                row = self._rows[task_id]
                row.told = told
                row.waits_until = self._clock() + step.seconds if isinstance(step, Waiting) else 0.0

    def _remark(self, text: str) -> None:
        self._console.print(Text(text))

    # -- what the drawing thread will see -------------------------------------------------------------

    def _add_rows(self) -> None:
        """A row for every task, in the order of the tree."""
        known, self._rows = self._rows, {}
        for task_id, depth in walk(self.state):
            fresh = _Row(label(self.state.tasks[task_id]), depth, "pending")
            self._rows[task_id] = known.get(task_id, fresh)
            if task_id not in known:
                self._set_status(task_id)

    def _update(self, task_id: str, event: ev.Event) -> None:
        row, now = self._rows[task_id], self.state.states[task_id]
        self._set_status(task_id)
        row.told, row.waits_until = words.first_line(now.reason), 0.0
        if isinstance(event, ev.TaskStarted):
            row.began, row.told = self._clock(), worker(self.state, self.state.tasks[task_id])
            self._running[task_id] = None
        elif now.status != "in_progress":
            self._running.pop(task_id, None)
        if now.settled and task_id not in self.state.children:
            self._recent.append(task_id)

    def _set_status(self, task_id: str) -> None:
        row, status = self._rows[task_id], self.state.states[task_id].status
        parent = self.state.tasks[task_id].parent_id
        if parent is not None:
            change = (status == "completed") - (row.status == "completed")
            self._completed[parent] = self._completed.get(parent, 0) + change
        row.status = status

    # -- drawing --------------------------------------------------------------------------------------

    def draw(self) -> Text:
        """What the screen shows now."""
        with self._lock:
            room = max(1, self._console.size.height - 2)
            lines = [self._head(), *(self._line(task_id) for task_id in self._shown(room))]
        drawn = Text("\n", no_wrap=True, overflow="ellipsis").join(lines)
        drawn.no_wrap, drawn.overflow = True, "ellipsis"
        return drawn

    def _shown(self, room: int) -> Iterable[str]:
        if len(self._rows) <= room:
            return self._rows
        running = list(self._running)[:room]
        ended = list(self._recent)[-(room - len(running)) :] if room > len(running) else []
        return [*ended, *running]

    def _head(self) -> Text:
        parts = [
            words.one_line(self.state.plan.name),
            f"{self._tally.text(self.state)} done",
            *self._others(),
            words.lasting(self._clock() - self._began),
            running_total(self.state),
        ]
        return Text("  ".join(filter(None, parts)), style="bold")

    def _others(self) -> Iterator[str]:
        counts = self.state.counts
        for status in ("in_progress", "blocked", "failed"):
            if counts[status]:
                yield f"{counts[status]} {words.STATUS_WORDS[status]}"

    def _line(self, task_id: str) -> Text:
        row = self._rows[task_id]
        line = Text(f"{'  ' * row.depth}  ")
        line.append(f"{self._marks[row.status]} ", style=STYLES[row.status])
        line.append(row.label)
        if task_id in self._completed:
            line.append(f"  {self._completed[task_id]}/{len(self.state.children[task_id])}", style="dim")
        if row.status == "in_progress":
            line.append(f"  {words.lasting(self._clock() - row.began)}", style="dim")
        if (left := row.waits_until - self._clock()) > 0:
            line.append(f"  waiting {words.lasting(left)}:", style="yellow")
        line.append(f"  {row.told}" if row.told else "", style="dim")
        return line


def _told(step: Step) -> str:
    """The newest thing an agent did, on one line."""
    if isinstance(step, Said):
        lines = [line for line in step.text.splitlines() if line.strip()]
        return words.one_line(lines[-1]) if lines else ""
    if isinstance(step, Waiting):
        return words.one_line(step.reason)
    if isinstance(step, Used):
        return f"Using {used_text(step)}"
    return f"{step.change.action} {words.one_line(step.change.path)}" if isinstance(step, Changed) else ""
