"""Replays a script in place of a model; what the script does with files and commands really happens.

It needs no key and no network: for the quickstart, for tests, for trying a plan out, and to play a
recorded run again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from pydantic import Field

from aca.core.events import FileChange, Usage
from aca.core.spent import add_usage
from aca.errors import InputError, Problem
from aca.plans.values import Model, command_text
from aca.processes import process
from aca.providers.base import (
    Assignment,
    Availability,
    Changed,
    Conversed,
    Errand,
    Noted,
    Proposed,
    Result,
    Said,
    Step,
    Used,
)
from aca.providers.replaying import script
from aca.safety.place import Place
from aca.tools import files
from aca.tools.base import BROKEN, reason


class Options(Model):
    """``providers.replay`` of a plan."""

    script: str = Field(min_length=1)
    """The file to replay, relative to the workspace."""


def problems(options: Options, errands: Iterable[Errand], workspace: Path) -> list[Problem]:
    """What is wrong with the script, and what it lacks for doing *errands*. Raises InputError when it cannot
    be read."""
    read, wrong = script.look(workspace / options.script)
    if script.EVERY in read.tasks:
        return wrong
    tasks = {place: task for one in errands for place, task in one.tasks.items()}
    missing = (read.missing(task.id, task.title) for _, task in sorted(tasks.items()))
    return [*wrong, *filter(None, missing)]


class Replay:
    """Does what a script says."""

    name = "replay"
    asks = False

    def __init__(self) -> None:
        self._read: dict[tuple[Path, int], script.Script] = {}

    def check(self, options: Mapping[str, Any]) -> Availability:
        """Always there, once it is told what to replay."""
        if "script" not in options:
            cure = 'write the script and name it: [providers.replay] script = "replay.toml"'
            return Availability(False, "replay has no script to replay", cure)
        return Availability(True, f"replays {options['script']}")

    async def work(self, assignment: Assignment, place: Place) -> AsyncIterator[Step]:
        """Play the steps the script has for this task and attempt."""
        try:
            path = (assignment.workspace or place.root) / assignment.options["script"]
            steps = self._steps(path, assignment)
        except InputError as error:
            reason = "; ".join(map(str, error.problems))
            yield Result("failed", reason=reason, category="input")
            return
        playing = _Playing(assignment, place)
        for step in steps:
            async for told in playing.play(step):
                yield told
            if playing.over:
                break
        yield playing.result

    def _steps(self, path: Path, assignment: Assignment) -> list[script.Step]:
        read = self._script(path)
        steps = read.steps(assignment.task_id, assignment.title)
        if steps is None:
            raise InputError(read.missing(assignment.task_id, assignment.title) or "")
        played = [step for step in steps if step.attempt in (None, assignment.attempt)]
        if read.is_record and not played:
            raise InputError(_unknown(assignment, path))
        return played

    def _script(self, path: Path) -> script.Script:
        """Read once, and again only when the file has changed."""
        try:
            key = path, path.stat().st_mtime_ns
        except OSError:
            return script.load(path)  # which tells what is wrong
        if key not in self._read:
            self._read[key] = script.load(path)
        return self._read[key]


class _Playing:
    """One attempt; ``result`` is what it would end with now."""

    def __init__(self, assignment: Assignment, place: Place) -> None:
        self.assignment, self.place = assignment, place
        self.result = Result("done")
        self.over = False

    async def play(self, step: script.Step) -> AsyncIterator[Step]:
        """Do one step and tell it."""
        match step:
            case script.Say():
                self.note(text=step.say)
                yield Said(step.say)
            case script.Write() | script.Edit() | script.Delete():
                for told in self.change(step):
                    yield told
            case script.Run():
                async for told in self.run(step):
                    yield told
            case script.Deny():
                told = self.deny(step.deny, cure=step.cure)
                if not step.quiet:
                    yield told
            case script.Show():
                yield Used(step.used, step.detail, step.error)
            case script.ShowChange():
                yield Changed(FileChange(step.changed, step.action))
            case script.Note():
                yield Noted(step.note)
            case script.Propose():
                yield Proposed(dict(step.propose))
            case script.Converse():
                yield Conversed(step.conversation)
            case script.Wait():
                await asyncio.sleep(step.wait)
            case script.Hang():
                await asyncio.Event().wait()
            case _:
                self.keep(step)

    def keep(self, step: script.Step) -> None:
        """The steps that only show in the result."""
        match step:
            case script.Use():
                self.note(usage=add_usage(self.result.usage, Usage(**step.usage.model_dump())))
            case script.Split():
                self.note(subtasks=(*self.result.subtasks, *step.subtasks))
            case script.Give():
                self.note(output=step.output)
            case script.Claim():
                self.note(text=step.result)
            case script.Fail():
                self.end(stop="failed", reason=step.fail, category=step.category)
            case script.Interrupt():
                self.end(stop="cut_off", reason=step.interrupt)
            case script.Quota(quota=datetime() as until):
                opens = f"the quota window is closed until {until:%Y-%m-%d %H:%M %Z}"
                self.end(stop="quota", reason=step.reason or opens, until=until.timestamp())
            case script.Quota():
                self.end(stop="quota", reason=step.reason or "the quota window is closed")

    def note(self, **known: Any) -> None:
        self.result = msgspec.structs.replace(self.result, **known)

    def end(self, **known: Any) -> None:
        self.note(**known)
        self.over = True

    def deny(self, tool: str, detail: str = "", cure: str = "") -> Used:
        """The model goes on, but what it claims in the end counts as denied."""
        denied = tuple(dict.fromkeys([*self.result.denied, tool]))
        self.note(stop="denied", denied=denied, reason=cure or self.result.reason)
        return Used(tool, detail, error="denied")

    def refuse(self, tool: str, detail: str) -> Used | None:
        """Denied by the task's permissions, or None."""
        if self.assignment.permissions != "read-only":
            return None
        return self.deny(tool, detail, 'permissions = "workspace-write" would allow it')

    def change(self, step: script.Write | script.Edit | script.Delete) -> Iterator[Step]:
        """Do it, and tell it unless it is to be quiet about it; what goes wrong is told in any case."""
        tool, name = next((verb, getattr(step, verb)) for verb in _CHANGING if hasattr(step, verb))
        is_told = isinstance(step, script.Edit) or not step.quiet
        if is_told:
            yield Used(tool, name)
        if refused := self.refuse(tool, name):
            yield refused
            return
        try:
            change = _changed(self.place, step)
            if is_told and change is not None:
                yield Changed(change)
        except BROKEN as error:
            why = reason(error)
            self.end(stop="failed", reason=f"{tool} {name}: {why}", category="task")
            yield Used(tool, name, error=why)

    async def run(self, step: script.Run) -> AsyncIterator[Step]:
        command = command_text(step.run)
        yield Used("run", command)
        if refused := self.refuse("run", command):
            yield refused
            return
        self.assignment.logs.mkdir(parents=True, exist_ok=True)
        output = self.assignment.logs / "output.log"
        ended = await process.run(step.run, self.place, output=output)
        if ended.exit_code != 0:
            if step.must:
                self.end(stop="failed", reason=f"{command}: {ended.how}; see {output}", category="task")
            yield Used("run", command, error=ended.how)


def _unknown(assignment: Assignment, path: Path) -> Problem:
    what = f'the record has no attempt {assignment.attempt} at the task "{assignment.task_id}"'
    return Problem(what, "the run that was recorded ended before it: record it again", str(path))


_CHANGING = ("write", "edit", "delete")


def _changed(place: Place, step: script.Write | script.Edit | script.Delete) -> FileChange | None:
    if isinstance(step, script.Delete):
        return files.delete(place, step.delete)
    if isinstance(step, script.Write):
        change = files.write(place, step.write, step.data)
        if step.executable:
            path = place.inside(step.write)
            path.chmod(path.stat().st_mode | 0o111)
        return change
    [change] = files.edit(place, [files.Replacement(path=step.edit, old=step.old, new=step.new)])
    return change
