"""Reads what a declared agent CLI prints, and judges how it ended by what its declaration says of that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from aca.core.events import Category, FileChange, Usage
from aca.core.spent import add_usage, told_cost, told_tokens
from aca.plans.values import format_duration
from aca.processes.process import Ended
from aca.providers.agent_clis.declaration import Declaration, Meaning, Sign, Tokens, Tool, find
from aca.providers.base import Changed, Conversed, Result, Said, Step, Used
from aca.safety.place import Place

_LONGEST = 200
_NOT_STARTED = (126, 127)
"""What ``env`` and shells end with where a program cannot be started (POSIX)."""
_HTTP = r"(status|http|code|error)\W{0,12}"
_Reader = Literal["conversation", "denied", "failure", "waiting"]
_Action = Literal["created", "modified", "deleted"]
_ACTIONS: dict[str, _Action] = {
    **dict.fromkeys(("add", "added", "create", "created", "new"), "created"),
    **dict.fromkeys(("delete", "deleted", "remove", "removed"), "deleted"),
}
TOO_LONG = Sign(text=_HTTP + r"413\b|context.?(length|window)|prompt is too long|too many tokens",
                means="task", cure="split the task into smaller ones, or refer to fewer files")  # fmt: skip
GENERAL = (
    Sign(text=_HTTP + r"(401|403)\b|unauthori[sz]ed|not logged in|api[ _-]?key|authenticat|credential",
         means="system", cure="log in with it, or give it its key"),
    Sign(text=r"billing|credit balance|insufficient_quota", means="system", cure="see to the balance"),
    TOO_LONG,
    Sign(text=r"unknown (option|argument)|unexpected argument|unrecognized|usage:", means="input",
         cure="see its command in the plan"),
    Sign(text=r"model.{0,60}(not found|not supported|does not exist)", means="input",
         cure="name a model you have, or none"),
    Sign(text=_HTTP + r"(408|409|425|429|5\d\d)\b|overloaded|high demand|rate.?limit|timed? ?out|"
              r"connect|network|econn|enotfound|socket|stream (closed|error)", means="transient"),
)  # fmt: skip
"""What error texts mean where the declaration does not say; the first that fits."""


class Reading:
    """The output of one run, as far as it has been read."""

    def __init__(self, name: str, declaration: Declaration, place: Place, counted: Usage | None) -> None:
        self._name, self._declaration, self._place = name, declaration, place
        self._counted = counted or Usage()
        """What earlier runs of the same conversation have told of their use."""
        self._lines: list[str] = []
        self._pieces: list[str] = []
        self._text = ""
        self._denied: dict[str, None] = {}
        self._failure: str | None = None
        self._done = False
        self._waits_for = ""
        self.told: Usage | None = None
        """What it said it used, as it counts."""
        self.conversation: str | None = None

    @property
    def finished(self) -> bool:
        """It has said that it is done: nothing more is expected."""
        return self._done

    @property
    def waits(self) -> bool:
        """All that it last said is that it waits."""
        return bool(self._waits_for)

    def take(self, line: bytes) -> Iterator[Step]:
        """What one line of the output tells. A line that is no event tells nothing."""
        text = line.decode(errors="replace")
        if self._declaration.output != "jsonl":
            self._lines.append(text)
            return
        try:
            event = json.loads(text)
        except (ValueError, RecursionError):
            return
        yield from self._event(event)

    def close(self) -> Iterator[Step]:
        """What can be told only when the output is complete."""
        if self._declaration.output == "json":
            yield from self._document("\n".join(self._lines))
        elif self._declaration.output == "text":
            self._text = "\n".join(self._lines).strip()
            yield from self._said(self._text)
        yield from self._whole()

    def _document(self, text: str) -> Iterator[Step]:
        """One JSON value, perhaps after some noise; of a list, each element is an event."""
        start = re.search(r"^[\[{]", text, re.MULTILINE)
        try:
            document = json.loads(text[start.start() :]) if start else None
        except (ValueError, RecursionError):
            return
        for event in document if isinstance(document, list) else [document]:
            yield from self._event(event)

    def _event(self, event: object) -> Iterator[Step]:
        yield from self._converse(event)
        yield from self._say(event)
        for tool in self._declaration.tool:
            yield from self._use(tool, event)
        yield from self._change(event)
        self._count(event)
        self._denied |= dict.fromkeys(map(str, self._taken("denied", event)))
        self._end(event)
        self._waits_for = "; ".join(_reason(found) for found in self._taken("waiting", event))

    def _taken(self, reader: _Reader, event: object) -> Iterator[Any]:
        for one in getattr(self._declaration, reader):
            if one.fits(event):
                yield from find(event, one.take)

    def _converse(self, event: object) -> Iterator[Step]:
        for found in self._taken("conversation", event):
            if str(found) != self.conversation:
                self.conversation = str(found)
                yield Conversed(self.conversation)

    def _say(self, event: object) -> Iterator[Step]:
        for one in self._declaration.text:
            for text in find(event, one.take) if one.fits(event) else ():
                if one.pieces:
                    self._pieces.append(str(text))
                else:
                    yield from self._whole()
                    yield from self._said(str(text))
                self._done = False  # it goes on

    def _whole(self) -> Iterator[Step]:
        """The text whose pieces have come, when something else does."""
        text = "".join(self._pieces)
        self._pieces.clear()
        yield from self._said(text)

    def _said(self, text: str) -> Iterator[Step]:
        if text.strip():
            self._text = text
            yield Said(text)

    def _use(self, tool: Tool, event: object) -> Iterator[Step]:
        name = next(iter(find(event, tool.name)), None) if tool.fits(event) else None
        if name is None:
            return
        yield from self._whole()
        details = [found for path in tool.detail for found in find(event, path)]
        wrong = next(iter(find(event, tool.error)), None) if tool.error else None
        yield Used(str(name), _line(str(details[0])) if details else "", error=_error(wrong))

    def _change(self, event: object) -> Iterator[Step]:
        declared = self._declaration.changed
        if declared is None or not declared.fits(event):
            return
        kinds = [str(kind) for kind in find(event, declared.kind)] if declared.kind else []
        for index, path in enumerate(find(event, declared.take)):
            action: _Action = _ACTIONS.get(kinds[index].lower() if index < len(kinds) else "", "modified")
            yield Changed(FileChange(self._place.name_of(Path(str(path))), action))

    def _count(self, event: object) -> None:
        declared = self._declaration.usage
        if declared is None or not declared.fits(event):
            return
        now = _usage(declared, event)
        self.told = add_usage(self.told, now) if self.told and declared.counts == "step" else now

    def _end(self, event: object) -> None:
        """The last word counts: a run may go on after a failure, or after it was done."""
        failures = [_reason(found) for found in self._taken("failure", event)]
        if failures:
            self._failure, self._done = failures[-1], False
        elif self._declaration.done is not None and self._declaration.done.fits(event):
            self._failure, self._done = None, True

    # -- the verdict --------------------------------------------------------------------------------

    def lost(self, stderr: str) -> bool:
        """Whether the conversation that was to be continued is not there."""
        told = f"{self._failure or ''}\n{stderr}"
        return any(sign.means == "lost" and sign.fits(told) for sign in self._declaration.signs)

    def verdict(self, ended: Ended, stderr: str) -> Result:
        """How the run ended."""
        self._deny(stderr)
        if self._done and str(ended.exit_code) not in self._declaration.exit_codes:
            return self._good()
        if self._failure is not None:
            return self._bad(self._failure, ended)
        if ended.silent:
            after = format_duration(round(ended.seconds))
            how = f"only waited ({_line(self._waits_for)})" if self.waits else "fell silent"
            return self._failed(f"{self._name} {how} and was stopped after {after} in all", "transient")
        if self._denied:  # some stop there, without a word that they are done
            return self._refused()
        if ended.exit_code != 0 or self._declaration.done is not None:
            return self._bad(_complaint(stderr), ended)
        return self._good()

    def _deny(self, stderr: str) -> None:
        for sign in self._declaration.signs:
            if sign.means == "denied":
                self._denied |= dict.fromkeys(sign.tools(f"{self._failure or ''}\n{stderr}"))

    def _good(self) -> Result:
        if self._denied:
            return self._refused()
        if not self._text.strip():
            return self._failed("the agent ended without a word", "task")
        return Result("done", self._text, usage=self.usage)

    def _refused(self) -> Result:
        cures = [sign.cure for sign in self._declaration.signs if sign.means == "denied"]
        reason = cures[0] if cures else ""
        return Result("denied", self._text, reason, usage=self.usage, denied=tuple(self._denied))

    def _bad(self, told: str, ended: Ended) -> Result:
        """A failure, and what it means by its text and by the exit code."""
        reason = told if self._failure is not None else self._broken_off(told, ended)
        by_code = self._declaration.exit_codes.get(str(ended.exit_code))
        signs = (*self._declaration.signs, *GENERAL)
        sign = next((sign for sign in signs if sign.fits(told)), None)
        meaning = by_code or (sign.means if sign else self._by_itself(ended))
        cure = sign.cure if sign and sign.means == meaning else ""
        return self._meant(meaning, reason or f"{self._name} failed without a reason", cure)

    def _by_itself(self, ended: Ended) -> Category:
        """What a failure means that no sign tells."""
        if self._failure is not None:
            return "task"
        return "system" if ended.exit_code in _NOT_STARTED else "transient"

    def _broken_off(self, told: str, ended: Ended) -> str:
        return f"{self._name} ended without a result ({ended.how})" + (f": {told}" if told else "")

    def _meant(self, meaning: Meaning, reason: str, cure: str) -> Result:
        match meaning:
            case "denied":
                return self._refused()
            case "quota":
                return Result("quota", reason=reason, usage=self.usage)
            case "lost":
                return self._failed(reason, "transient", cure)
            case category:
                return self._failed(reason, category, cure)

    def _failed(self, reason: str, category: Category, cure: str = "") -> Result:
        return Result("failed", reason=f"{reason}; {cure}" if cure else reason, category=category,
                      usage=self.usage, overflowed=category == "task" and TOO_LONG.fits(reason))  # fmt: skip

    @property
    def usage(self) -> Usage | None:
        """What this run used, without what earlier ones have told."""
        if self.told is None:
            return None
        cost, before = self.told.cost_usd, self._counted.cost_usd
        return Usage(
            max(0, self.told.input_tokens - self._counted.input_tokens),
            max(0, self.told.output_tokens - self._counted.output_tokens),
            max(0, self.told.cache_read_tokens - self._counted.cache_read_tokens),
            max(0, self.told.cache_write_tokens - self._counted.cache_write_tokens),
            None if cost is None else max(0.0, cost - (before or 0.0)),
        )


def _usage(declared: Tokens, event: object) -> Usage:
    read, written = _number(event, declared.cache_read), _number(event, declared.cache_write)
    cached = read + written if declared.input_includes_cached else 0
    costs = find(event, declared.cost_usd) if declared.cost_usd else []
    # A price that a program does not know is 0 to some of them.
    known = [cost for cost in map(told_cost, costs) if cost]
    return Usage(
        max(0, _number(event, declared.input) - cached),
        _number(event, declared.output),
        read,
        written,
        sum(known) if known else None,
    )


def _number(event: object, path: str) -> int:
    found = find(event, path) if path else []
    return sum(map(told_tokens, found))


def _error(wrong: object) -> str:
    """What went wrong with a tool: a text, an exit code, or just that something did."""
    if isinstance(wrong, bool) or not wrong:
        return "failed" if wrong else ""
    return f"exit code {wrong}" if isinstance(wrong, int) else _line(_reason(wrong))


def _complaint(stderr: str) -> str:
    """The line of *stderr* that says what went wrong: the first that calls itself an error, or the last."""
    lines = stderr.strip().splitlines()
    return _line(next((line for line in lines if re.search(r"\berror\b", line, re.I)), (lines or [""])[-1]))


def _reason(found: object) -> str:
    return found if isinstance(found, str) else json.dumps(found)


def _line(text: str) -> str:
    """One short line."""
    first = text.strip().partition("\n")[0]
    return first if len(first) <= _LONGEST else first[: _LONGEST - 1] + "…"
