"""A session's record: a replay script that grows with every attempt, and survives whatever ends the run.

An attempt is written down when it has ended. Until then the tree of its workspace lies in its logs: whoever
is killed leaves it to the next run, which writes down what it finds.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import tomli

from aca.core import events as ev
from aca.core.state import SessionState
from aca.errors import InputError, Problem
from aca.providers import base
from aca.providers.base import Assignment, Changed, Result, Step
from aca.providers.replaying import retold, script
from aca.providers.replaying.tree import Difference, Tree, difference
from aca.safety.place import Place
from aca.sessions import journal
from aca.sessions.session import Session

log = logging.getLogger(__name__)

HEAD = """\
# Recorded by aca, its secrets struck out. To play it again, name this file in the plan:
#   provider = "replay", providers.replay.script = "<this file>"
recorded = {}

"""
Key = tuple[str, int]
"""An attempt: the task's id and its number."""
_ENDS = ("fail", "interrupt", "quota")
"""Steps after which nothing of an attempt is played."""
_TREE = "before.json"
"""In the logs of an attempt that is being recorded: the workspace as it found it."""


@dataclass(eq=False)
class Take:
    """An attempt that is being recorded: what was there before, and what it has told until now."""

    assignment: Assignment
    place: Place
    before: Tree | None
    """None where nothing may be changed: such changes could not be played again."""
    told: list[Step] = field(default_factory=list)

    @property
    def key(self) -> Key:
        return self.assignment.task_id, self.assignment.attempt

    @property
    def claims(self) -> set[str]:
        """The files it has said it changed, by their names in the tree."""
        if self.before is None:
            return set()
        paths = (Path(self.before.path, one.change.path) for one in self.told if isinstance(one, Changed))
        return {os.path.relpath(path, self.before.root) for path in paths}


class Recording:
    """The record of *session* in the file *path*, which goes on where it is one already.

    It watches the events as well: who cut an attempt off, and why, is not for its provider to know.
    Raises InputError when the file is anything else.
    """

    def __init__(self, path: Path, session: Session) -> None:
        refuse_other(path, session.id)
        self.path, self._logs = path.resolve(), session.task_logs
        before = _text(self.path)
        self._text = before or HEAD.format(retold.value(session.id))
        self._takes: list[Take] = []
        self._judged: set[Key] = set()
        """Attempts that claimed to be done: aca judges the claim again when it is played."""
        self._last = _last_steps(self.path) if before else {}
        self._keep()  # what cannot be written is to be known before anybody works

    def begin(self, assignment: Assignment, place: Place) -> Take:
        """An attempt begins."""
        before = None if assignment.permissions == "read-only" else Tree.of(place, self.path)
        if before is not None:
            assignment.logs.mkdir(parents=True, exist_ok=True)
            journal.write_aside(assignment.logs / _TREE, msgspec.json.encode(before))
        take = Take(assignment, place, before)
        self._takes.append(take)
        return take

    def end(self, take: Take) -> None:
        """It has ended by itself, or was cut off; how, and what that means, the journal will tell."""
        self._takes.remove(take)
        found = self._changes(take)
        self._add(take.key, retold.retold(take.told, found, take.place.env), found.left_out)
        if any(isinstance(step, Result) and step.stop in ("done", "denied") for step in take.told):
            self._judged.add(take.key)
        (take.assignment.logs / _TREE).unlink(missing_ok=True)

    def event(self, event: ev.Event, state: SessionState) -> None:
        """Write down why an attempt failed or was cut off, and what is left of one whose aca was killed.

        One that a budget or a closed window kept from beginning is told only here.
        """
        if not isinstance(event, ev.TaskFailed | ev.TaskInterrupted):
            return
        if event.attempt == 0 or not _is_agent(state, event.task):
            return  # no attempt of an agent
        key = (event.task, event.attempt)
        if isinstance(event, ev.TaskInterrupted) and key not in self._last:
            self._recover(key)
        is_told = key in self._judged if isinstance(event, ev.TaskFailed) else self._last.get(key) in _ENDS
        if not is_told:
            self._add(key, [retold.ended(event, os.environ)])

    def _recover(self, key: Key) -> None:
        """What a killed attempt said is in its transcript; what it changed shows in the workspace.

        No event tells of these files, so they are written without a word.
        """
        logs = self._logs / key[0]
        told = [step for step in _transcript(logs / f"{key[1]}.jsonl") if not isinstance(step, Changed)]
        kept = logs / str(key[1]) / _TREE
        found = Difference()
        if kept.is_file():
            found = difference(msgspec.json.decode(kept.read_bytes(), type=Tree), self.path)
            kept.unlink()
        if entries := retold.retold(told, found, os.environ):
            self._add(key, entries, found.left_out)

    def _changes(self, take: Take) -> Difference:
        """What is not as *take* found it. Of attempts side by side, each change is one's alone."""
        if take.before is None:
            return Difference()
        others = [one for one in self._takes if one.before and one.before.root == take.before.root]
        theirs = {name for other in others for name in other.claims} - take.claims
        found = difference(take.before, self.path, theirs)
        for other in others:
            if other.before is not None:
                other.before.learn(found)
        return found

    def _add(self, key: Key, entries: Sequence[retold.Entry], left_out: Sequence[str] = ()) -> None:
        for one in left_out:
            log.warning("too large for the record: %s, changed by %s", one, key[0])
            self._text += f"# {key[0]!a}, attempt {key[1]}, changed this too, which is too large: {one}\n"
        self._text += retold.toml(*key, entries)
        if entries:
            self._last[key] = next(verb for verb in script.VERBS if verb in entries[-1])
        self._keep()

    def _keep(self) -> None:
        journal.write_aside(self.path, self._text.encode())


def refuse_other(path: Path, session: str = "") -> None:
    """Raises InputError where *path* is not the place for a record of *session*, "" being a new one."""
    if path.suffix == ".jsonl":
        raise InputError(
            Problem("a record is written as TOML", "give it a name that ends in .toml", str(path))
        )
    if not path.parent.is_dir():
        raise InputError(Problem("its directory does not exist", f"mkdir -p {path.parent}", str(path)))
    try:
        text = _text(path)
        is_ours = bool(session) and tomli.loads(text).get("recorded") == session
    except (OSError, ValueError):
        text, is_ours = "other", False
    if text and not is_ours:
        cure = "name one that is not there yet: nothing is written over"
        raise InputError(Problem("this file is no record of this session", cure, str(path)))


def _text(path: Path) -> str:
    """What is in the file; nothing where there is none, or only empty lines."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return text if text.strip() else ""


def _last_steps(path: Path) -> dict[Key, str]:
    """Attempt -> what the last of its steps does."""
    tasks: Mapping[str, list[script.Step]] = script.load(path).tasks
    verbs = {kind: verb for verb, kind in script.VERBS.items()}
    return {(name, step.attempt or 0): verbs[type(step)] for name, steps in tasks.items() for step in steps}


def _is_agent(state: SessionState, task: str) -> bool:
    return state.tasks[task].kind == "agent" and task not in state.children


def _transcript(path: Path) -> list[Step]:
    """The steps an attempt has told; a torn last line was told to nobody."""
    if not path.is_file():
        return []
    whole = path.read_bytes().split(b"\n")[:-1]
    return [msgspec.json.decode(line, type=base.Step) for line in whole]
