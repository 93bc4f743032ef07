"""``.aca/sessions/<id>/``: create, find, list, fork, inbox, clean up.

One directory holds everything about one execution of one plan. Only the runner that holds its lock writes
to it, the inbox aside, where any process may leave a message. Reading never writes.
"""

from __future__ import annotations

import calendar
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

import msgspec

from aca import __version__
from aca.core.events import AnyEvent, SessionCreated
from aca.core.fold import AnyState, MisplacedEventError, fold
from aca.core.progress import Checkpoint
from aca.core.state import SessionState
from aca.errors import (
    NOT_JSON,
    AcaError,
    DamagedJournalError,
    DriftError,
    MachineError,
    SessionError,
    did_you_mean,
    lost,
)
from aca.garbage import uncollected
from aca.plans.plan import Plan
from aca.sessions import journal
from aca.sessions.messages import Message
from aca.sessions.whereabouts import HOME, none_yet

LIMITS_FILE = "rate_limit_state.json"
"""In the directory of a provider: what is known of the limits of its account."""
UNSOUND = (AcaError, OSError)
"""What reading a session raises that is damaged, has drifted, or may not be read."""
LEFT_AFTER = 3600.0
"""Seconds after which a directory that is being made or removed has been given up by whoever did it."""
IGNORE = "# what aca keeps about its runs stays out of commits\n*\n"
README = """\
This directory is one session of aca: one execution of one plan.

plan.json        the plan as it runs
journal.jsonl    what happened, one JSON line per fact; everything else is derived from it
lock             who is running the session now, empty when nobody is
inbox/           messages to the runner (approvals, checkpoints)
meta/            session.json: a picture of the state, a line for each task, rewritten now and then
execution_logs/  task_logs/<task>/<attempt>...: prompt, steps and raw output of every attempt; system_logs/
file_changes/    change_log.json: which files each task is known to have changed;
                 snapshots/<task>/<attempt>.patch: what an attempt changed
homes/           the home of each agent that worked in containers
<provider>/      conversations, settings and limits of each provider that was used

`aca status` and `aca show` read it; `aca resume` goes on with it; `aca gc` removes it.
"""


class Session(msgspec.Struct, frozen=True, dict=True):
    """One session directory. Opening one reads nothing yet."""

    path: Path

    @cached_property
    def id(self) -> str:
        return self.path.name

    @cached_property
    def workspace(self) -> Path:
        return self.path.parent.parent.parent

    @property
    def journal_path(self) -> Path:
        return self.path / "journal.jsonl"

    @cached_property
    def scratch(self) -> Path:
        """What attempts have as ``/tmp`` while they run in a sandbox; nothing in it outlives them."""
        return self.path / "tmp"

    @property
    def lock_path(self) -> Path:
        return self.path / "lock"

    @cached_property
    def task_logs(self) -> Path:
        return self.path / "execution_logs" / "task_logs"

    @property
    def system_log(self) -> Path:
        return self.path / "execution_logs" / "system_logs" / "aca.log"

    def lock(self) -> journal.Lock:
        """The right to write; raises SessionInUseError when entered while another process has it."""
        return journal.Lock(self.lock_path, self.id)

    def is_running(self) -> bool:
        return journal.is_locked(self.lock_path)

    def runner(self) -> str:
        """Who runs it, such as ``process 4242``."""
        return journal.holder(self.lock_path)

    @cached_property
    def plan(self) -> Plan:
        """The plan as run. Raises DriftError when the file is not the one the session began with, and
        MachineError where it holds none any more."""
        created = self._beginning()
        path = self.path / "plan.json"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise self._without_plan(f"{path} is gone") from None
        if created.plan_sha256 != digest(data):
            if not _holds_plan(data):
                raise self._without_plan(f"{path} holds none any more")
            cure = "put it back, or run the edited plan as a session of its own: aca --execution-plan"
            raise DriftError("plan.json", f"{path} was changed after the session began\n   {cure}")
        try:
            return Plan.model_validate(json.loads(data))  # pydantic's own reading is slower
        except ValueError as error:
            why = str(error).splitlines()[0]
            raise SessionError(f"session {self.id} has a plan that this aca cannot read: {why}") from None

    def _without_plan(self, why: str) -> MachineError:
        return MachineError(f"session {self.id} has lost its plan: {why}\n   {lost(self.id)}")

    def _beginning(self) -> SessionCreated:
        """The first event of the journal, without which nothing in it can be believed."""
        match journal.read(self.journal_path, until=1):
            case [SessionCreated() as created]:
                return created
            case _:
                raise DamagedJournalError(str(self.journal_path), 1, "its beginning is missing", 0)

    def state(self, until: int | None = None) -> SessionState:
        """The fold of its journal, or of the first *until* events. Raises DamagedJournalError."""
        return self.folded(SessionState(self.plan), until)

    def folded(self, state: AnyState, until: int | None = None) -> AnyState:
        """The same, of a *state* that keeps more. Raises DamagedJournalError."""
        with uncollected():
            try:
                return fold(state, journal.read(self.journal_path, until))
            except MisplacedEventError as error:
                path, number = str(self.journal_path), error.seq
                raise DamagedJournalError(path, number, str(error), number - 1) from error

    def take_up(self) -> SessionState:
        """``state`` for whoever holds the lock and is to write; what a crash left of a line is cut off."""
        journal.drop_torn_tail(self.journal_path)
        return self.state()

    @contextmanager
    def writing(self, state: SessionState) -> Iterator[journal.Journal]:
        """The writing end of its journal, which stands at *state*; closed at the end."""
        written = journal.Journal(self.journal_path, state.seq)
        try:
            yield written
        finally:
            written.close()

    def events(self) -> list[AnyEvent]:
        """Everything in its journal. Raises DamagedJournalError."""
        return journal.read(self.journal_path)

    # -- inbox --------------------------------------------------------------------------------------

    def send(self, message: Message) -> str:
        """Leave *message* for the runner, whether one is alive now or later; returns its name."""
        name = f"{time.time_ns()}-{os.getpid()}-{os.urandom(2).hex()}.json"
        journal.write_aside(self.path / "inbox" / name, msgspec.json.encode(message))
        return name

    def messages(self) -> Iterator[tuple[str, Message | None]]:
        """(name, message) of everything in the inbox, oldest first; None for what cannot be read."""
        try:
            found = (path.name for path in (self.path / "inbox").iterdir())
            names = sorted(name for name in found if name.endswith(".json"))
        except FileNotFoundError:
            raise MachineError(f"{self.path} is gone: something has removed it") from None
        for name in names:
            try:
                yield name, msgspec.json.decode((self.path / "inbox" / name).read_bytes(), type=Message)
            except NOT_JSON:
                yield name, None

    def keeps(self, name: str) -> bool:
        """Whether nobody has taken that message out of the inbox yet."""
        return (self.path / "inbox" / name).exists()

    def forget(self, names: Iterable[str]) -> None:
        """Remove messages that are in the journal by now."""
        for name in names:
            (self.path / "inbox" / name).unlink(missing_ok=True)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def home(workspace: Path) -> Path:
    """``.aca`` of the workspace, made with its ``.gitignore`` when missing. Raises MachineError."""
    path = workspace / HOME
    try:
        (path / "sessions").mkdir(parents=True, exist_ok=True)
        ignore = path / ".gitignore"
        if not ignore.exists():
            ignore.write_text(IGNORE, encoding="utf-8")
    except OSError as error:
        _refuse_files(path)
        raise MachineError(f"{path}: cannot be made: {error.strerror}") from error
    return path


def _refuse_files(path: Path) -> None:
    """Raise MachineError where ``.aca`` or its ``sessions`` is a file."""
    for part in (path, path / "sessions"):
        if part.exists() and not part.is_dir():
            cure = "move it out of the way"
            raise MachineError(f"{part} is a file where aca has a directory\n   {cure}") from None


def create(workspace: Path, plan_text: str, commit: str = "") -> Session:
    """A new session for the plan written in *plan_text* (canonical JSON), worktrees starting at *commit*."""
    data = plan_text.encode()
    created = SessionCreated(session="", plan_sha256=digest(data), aca_version=__version__, commit=commit)
    return _make(workspace, data, [created])


def fork(origin: Session, until: int) -> Session:
    """A new session with the same plan and the first *until* events of *origin*'s past."""
    first, *rest = journal.read(origin.journal_path, until)
    first = msgspec.structs.replace(first, forked_from=f"{origin.id}:{until}")
    return _make(origin.workspace, (origin.path / "plan.json").read_bytes(), [first, *rest])


def _make(workspace: Path, plan: bytes, past: list[AnyEvent]) -> Session:
    """Build the directory aside and rename it: a session exists whole or not at all."""
    sessions = home(workspace) / "sessions"
    session_id = _new_id(time.time())
    aside = sessions / f".{session_id}"
    try:
        for part in ("inbox", "meta", "file_changes/snapshots", "execution_logs/task_logs",
                     "execution_logs/system_logs"):  # fmt: skip
            (aside / part).mkdir(parents=True)
        past[0] = msgspec.structs.replace(past[0], session=session_id, seq=1, at=past[0].at or time.time())
        journal.write_aside(aside / "plan.json", plan)
        journal.write_aside(aside / "journal.jsonl", journal.lines(past))
        (aside / "README").write_text(README, encoding="utf-8")
        aside.rename(sessions / session_id)
        journal.sync_directory(sessions)
    except OSError as error:
        raise MachineError(f"{aside}: cannot be made: {error.strerror}") from error
    return Session(sessions / session_id)


def _new_id(now: float) -> str:
    """Date, time and the fraction of the second: UTC, so that ids sort by age wherever the clock is."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{int(now % 1 * 0x10000):04x}"


def begun(session_id: str) -> float:
    """When the session was made that has this id: seconds since 1970."""
    try:
        return calendar.timegm(time.strptime(session_id[:15], "%Y%m%d-%H%M%S"))
    except ValueError:  # digits that are no date: aca has not made it
        return 0.0


_is_id = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}").fullmatch


def listing(workspace: Path) -> list[Session]:
    """All sessions of the workspace, oldest first. Raises MachineError where one cannot look for them."""
    folder = workspace / HOME / "sessions"
    try:
        (folder / ".").stat()  # to list it is not enough: what is in it is looked at, too
        found = list(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        if isinstance(error, NotADirectoryError):
            _refuse_files(workspace / HOME)
        cure = "let the user who runs aca read it"
        raise MachineError(f"{error.filename}: cannot be read: {error.strerror}\n   {cure}") from error
    return sorted(map(Session, filter(_is_session, found)), key=lambda one: one.id)


def _holds_plan(data: bytes) -> bool:
    try:
        return bool(Plan.model_validate(json.loads(data)).tasks)
    except NOT_JSON:
        return False


def _is_session(path: Path) -> bool:
    """Whether it has a journal, or the name of one that has lost it. What we may not see into is not ours."""
    if path.name.startswith(".") or not os.access(path, os.X_OK):
        return False
    return os.access(path / "journal.jsonl", os.F_OK) or (bool(_is_id(path.name)) and path.is_dir())


def sound(
    workspace: Path, *, newest_must_be: bool = False, but: str = ""
) -> Iterator[tuple[Session, SessionState]]:
    """The sessions that can be read, newest first, each with its state; others hold nothing up.

    The session with the id *but* is left out. With *newest_must_be* the newest raises what is wrong with it:
    for questions that mean it first of all.
    """
    for place, one in enumerate(one for one in reversed(listing(workspace)) if one.id != but):
        try:
            state = one.state()
        except UNSOUND:
            if newest_must_be and place == 0:
                raise
        else:
            yield one, state


def find(workspace: Path, name: str) -> Session:
    """The session called *name*, or the only one whose id begins so. Raises SessionError."""
    sessions = {one.id: one for one in listing(workspace)}
    if name in sessions:
        return sessions[name]
    near = [session_id for session_id in sessions if name and session_id.startswith(name)]
    if len(near) == 1:
        return sessions[near[0]]
    if near:
        raise SessionError(f'"{name}" fits several sessions: {", ".join(near)}')
    cure = did_you_mean(name, sessions) or "`aca status` lists the sessions of this workspace"
    raise SessionError(f'there is no session "{name}" in {workspace / HOME}\n   {cure}')


def newest(workspace: Path) -> Session:
    """The session begun last. Raises SessionError when there is none."""
    sessions = listing(workspace)
    if not sessions:
        raise none_yet(workspace)
    return sessions[-1]


def find_checkpoint(workspace: Path, name: str) -> tuple[Session, SessionState, Checkpoint] | None:
    """What ``SESSION:NUMBER``, ``SESSION:NAME`` or a plain checkpoint name means; None if nothing."""
    session_name, colon, label = name.rpartition(":")
    for session, state in _named(workspace, session_name) if colon else sound(workspace):
        for checkpoint in reversed(state.checkpoints):
            if label in ((checkpoint.name, str(checkpoint.seq)) if colon else (checkpoint.name,)):
                return session, state, checkpoint
    return None


def _named(workspace: Path, name: str) -> Iterator[tuple[Session, SessionState]]:
    session = find(workspace, name)
    yield session, session.state()


def write_patch(session: Session, task_id: str, attempt: int, patch: str) -> None:
    """Keep what an attempt changed beside the change log."""
    folder = session.path / "file_changes" / "snapshots" / task_id
    folder.mkdir(parents=True, exist_ok=True)
    data = patch.encode("utf-8", "surrogateescape")
    journal.write_aside(folder / f"{attempt}.patch", data)


def remove(session: Session) -> None:
    """Delete the directory. The caller has made sure that nothing in it is still wanted."""
    doomed = session.path.with_name(f".{session.id}.removed")
    os.utime(session.path)  # young again, so that no ``sweep`` beside this one gets in its way
    session.path.rename(doomed)
    shutil.rmtree(doomed)


def sweep(workspace: Path) -> None:
    """Remove what crashes left of sessions being made or removed, and nothing somebody is at right now."""
    folder = workspace / HOME / "sessions"
    if folder.is_dir():
        for path in folder.glob(".*"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > LEFT_AFTER:
                    shutil.rmtree(path)
