"""Reads what ``claude --output-format stream-json`` prints, and judges by that alone how it ended.

The exit code proves nothing: it is 0 when every tool was denied. Written for 2.1.197 to 2.1.329, whose
streams differ; whatever is not understood is passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import msgspec

from aca.core.events import Category, FileChange, Usage
from aca.core.spent import add_usage, told_cost, told_tokens
from aca.plans.values import LATEST, format_duration
from aca.processes.process import Ended
from aca.providers.base import Changed, Conversed, Limited, Result, Said, Step, Used
from aca.providers.prices import Tariff
from aca.safety.place import Place

WRITING_TOOLS = ("Write", "Edit", "MultiEdit", "NotebookEdit")
_DETAILS = ("file_path", "notebook_path", "command", "path", "pattern", "url", "query", "description")
_LONGEST = 200

SYNTHETIC = "<synthetic>"
"""The model of messages in which claude itself tells of an error; the result has the same text."""
LOG_IN = "run `claude` once and log in, or set ANTHROPIC_API_KEY"
SMALLER = "split the task into smaller ones, or refer to fewer files"
_SIGNS: tuple[tuple[str, Category, str], ...] = (
    ("root/sudo privileges", "system",
     'claude refuses permissions = "full" as root: run as another user, or set IS_SANDBOX=1 in a sandbox'),
    ("not logged in|/login|invalid api key|failed to authenticate", "system", LOG_IN),
    ("credit balance|billing", "system", "see to the account's balance"),
    ("prompt is too long|request too large|context window", "task", SMALLER),
    ("selected model|model_not_found|invalid model", "input", "name a model you have, or none"),
    ("unknown option|already in use|option .* argument", "input", "see providers.claude-cli in the plan"),
    ("overloaded|timed? ?out|connect|econn|enotfound|network|socket|rate.?limit", "transient", ""),
)  # fmt: skip
"""What error texts contain -> what kind of failure that is, and what to do; the first that fits."""


class Reading:
    """The stream of one run of claude, as far as it has been read."""

    def __init__(
        self,
        place: Place,
        conversation: str,
        forbidden: Collection[str] = (),
        section: str = "claude-cli",
        gives_output: bool = False,
    ) -> None:
        self._place, self._conversation, self._forbidden = place, conversation, forbidden
        self._section, self._gives_output = section, gives_output
        self._uses: dict[str, tuple[str, str, dict[str, Any]]] = {}
        self._denied: dict[str, None] = {}
        self._limit: dict[str, Any] = {}
        self._results: list[dict[str, Any]] = []
        self._messages: dict[str, dict[str, Any]] = {}
        self.finished = False
        """There is a result, and nothing was said since: nothing more is expected."""

    def take(self, line: bytes) -> Iterator[Step]:
        """What one line of the stream tells. A line that is no event tells nothing."""
        try:
            event = json.loads(line.decode(errors="replace"))
        except (ValueError, RecursionError):
            return
        if not isinstance(event, dict):
            return
        takers: dict[str, Callable[[dict[str, Any]], Iterator[Step]]] = {
            "system": self._system,
            "assistant": self._assistant,
            "user": self._user,
            "rate_limit_event": self._rate_limit,
            "result": self._result,
        }
        kind = str(event.get("type"))
        if kind in takers:
            yield from takers[kind](event)

    def _system(self, event: dict[str, Any]) -> Iterator[Step]:
        conversation = event.get("session_id")
        if event.get("subtype") == "init":  # of each turn, before the model is asked
            self.finished = False
        if event.get("subtype") == "init" and conversation and conversation != self._conversation:
            self._conversation = str(conversation)
            yield Conversed(self._conversation)

    def used(self) -> Usage | None:
        """What its messages have told of their use; the result knows better, where it comes.

        A message comes in pieces, each of which tells the use of all of it. Dollars are of the price list.
        """
        known = [usage for one in self._messages.values() if (usage := _listed(one)) is not None]
        return reduce(add_usage, known) if known else None

    def _assistant(self, event: dict[str, Any]) -> Iterator[Step]:
        self.finished = False
        message = _table(event.get("message"))
        if message.get("model") != SYNTHETIC:
            self._messages[str(message.get("id"))] = {key: message.get(key) for key in ("model", "usage")}
        for block in _blocks(event):
            text = block.get("text")
            if block.get("type") == "text" and text and not _is_aside(event):
                yield Said(str(text))
            elif block.get("type") == "tool_use":
                tool, given = str(block.get("name")), _table(block.get("input"))
                detail = self._detail(given)
                self._uses[str(block.get("id"))] = tool, detail, given
                yield Used(tool, detail)

    def _user(self, event: dict[str, Any]) -> Iterator[Step]:
        for block in _blocks(event):
            if block.get("type") != "tool_result":
                continue
            tool, detail, given = self._uses.pop(str(block.get("tool_use_id")), ("tool", "", {}))
            if block.get("is_error"):
                yield self._tool_error(tool, detail, _text(block.get("content")))
            elif tool in WRITING_TOOLS:
                made = _table(event.get("tool_use_result")).get("type") == "create"
                yield self._changed(given, made)

    def _tool_error(self, tool: str, detail: str, text: str) -> Used:
        if tool in self._forbidden and "No such tool available" in text:
            self._denied[tool] = None
        return Used(tool, detail, error=_line(re.sub(r"</?tool_use_error>", "", text)) or "failed")

    def _changed(self, given: dict[str, Any], made: bool) -> Changed:
        path = str(given.get("file_path") or given.get("notebook_path") or "")
        return Changed(FileChange(self._place.name_of(Path(path)), "created" if made else "modified"))

    def _detail(self, given: dict[str, Any]) -> str:
        key = next((key for key in _DETAILS if isinstance(given.get(key), str)), None)
        if key is None:
            return ""
        return self._place.name_of(Path(given[key])) if key.endswith("_path") else _line(given[key])

    def _rate_limit(self, event: dict[str, Any]) -> Iterator[Step]:
        self._limit = _table(event.get("rate_limit_info"))
        yield Limited(self._limit)

    def _result(self, event: dict[str, Any]) -> Iterator[Step]:
        self.finished = True
        for denial in map(_table, _list(event.get("permission_denials"))):
            if not self._is_protected(_table(denial.get("tool_input"))):
                self._denied[str(denial.get("tool_name"))] = None
        if not (self._results and _aborted(event)):  # stopped while it lingered: what it said before counts
            self._results.append(event)
        yield from ()

    def _is_protected(self, given: dict[str, Any]) -> bool:
        """Whether the plan's own rules forbade it: no permission would help, and claude was told why."""
        place, path = self._place, given.get("file_path") or given.get("notebook_path")
        if path:
            return place.protects(str(path))
        command, where = str(given.get("command") or ""), (str(place.root), str(place.path))
        return place.protection.command_rule(command, *where) is not None

    # -- the verdict --------------------------------------------------------------------------------

    def lost(self, stderr: str) -> bool:
        """Whether the conversation that was to be continued is not there."""
        return "No conversation found" in stderr + "".join(map(_told, self._results))

    def verdict(self, ended: Ended, stderr: str) -> Result:
        """How the run ended."""
        result = self._results[-1] if self._results else None
        if result is None or (_aborted(result) and ended.silent):
            return self._unfinished(ended, stderr)
        return self._quota(result) or self._broken(result) or self._good(result)

    def _unfinished(self, ended: Ended, stderr: str) -> Result:
        last = _line(stderr.strip().rpartition("\n")[2])
        if ended.silent:
            after = format_duration(round(ended.seconds))
            return self._failed(f"claude fell silent and was stopped after {after} in all", "transient")
        category, cure = _classify(last, None) if last else ("transient", "")
        reason = "the stream ended without a result" + (f": {last}" if last else _exit(ended))
        return self._failed(reason, category or "transient", cure)

    def _quota(self, result: dict[str, Any]) -> Result | None:
        rejected = self._limit.get("status") == "rejected" or result.get("api_error") == "usage_limit_reached"
        if not (rejected and _is_error(result)):
            return None
        resets = self._limit.get("resetsAt")
        until = float(resets) if isinstance(resets, int | float) and 0 < resets < LATEST else None
        return Result("quota", reason=_told(result), until=until, usage=self._usage())

    def _broken(self, result: dict[str, Any]) -> Result | None:
        told = _told(result)
        if _aborted(result):
            return Result("interrupted", reason="claude was interrupted", usage=self._usage())
        if result.get("stop_reason") == "refusal":
            return self._failed(f"the model refused: {told}", "task")
        if result.get("subtype") == "error_max_budget_usd":
            return Result("spent", reason=told, usage=self._usage())
        if result.get("subtype") == "error_max_turns":
            return self._failed(told, "task", f"raise providers.{self._section}.max_turns, or split the task")
        if _is_error(result):
            category, cure = _classify(told, result.get("api_error_status"))
            return self._failed(told or "claude reported an error without a text", category or "task", cure)
        if not self._denied and self._gives_output and _output(result) is None:
            return self._failed("claude gave no output that fits output_schema", "task")
        if not told.strip() and not self._denied and not self._gives_output:
            return self._failed("the agent ended without a word", "task")
        return None

    def _good(self, result: dict[str, Any]) -> Result:
        text, usage, denied = _told(result), self._usage(), tuple(self._denied)
        if not denied:
            return Result("done", text, usage=usage, output=_output(result))
        return Result("denied", text, self._permit(denied), usage=usage, denied=denied)

    def _permit(self, denied: Collection[str]) -> str:
        """What would have allowed it."""
        if not set(denied).isdisjoint(self._forbidden):
            return 'permissions = "workspace-write" would allow it'
        listed = ", ".join(f'"{tool}"' for tool in denied)
        return f'providers.{self._section}.allowed_tools = [{listed}] or permissions = "full" would allow it'

    def _failed(self, reason: str, category: Category, cure: str = "") -> Result:
        reason = f"{reason}; {cure}" if cure else reason
        too_long = cure == SMALLER
        return Result("failed", reason=reason, category=category, usage=self._usage(), overflowed=too_long)

    def _usage(self) -> Usage | None:
        """What this run used. A run can have several results, each with the usage of its own turn."""
        known = [usage for result in self._results if (usage := _usage(result)) is not None]
        if not known:
            return None
        tokens = reduce(add_usage, known)
        return Usage(tokens.input_tokens, tokens.output_tokens, tokens.cache_read_tokens,
                     tokens.cache_write_tokens, _cost(self._results))  # fmt: skip


def _usage(result: dict[str, Any]) -> Usage | None:
    if not isinstance(told := result.get("usage"), dict):
        return None
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return Usage(*(told_tokens(told.get(name)) for name in names))


def _listed(message: dict[str, Any]) -> Usage | None:
    """What a message used, at the price of its model."""
    if (usage := _usage(message)) is None:
        return None
    return msgspec.structs.replace(usage, cost_usd=Tariff("anthropic", str(message["model"])).cost(usage))


def _cost(results: list[dict[str, Any]]) -> float | None:
    """What this run cost.

    From 2.1.3xx on ``total_cost_usd`` counts a continued conversation from its beginning, and
    ``model_usage_since_last_result`` what is new; before, the total is that of the run.
    """
    news = [result.get("model_usage_since_last_result") for result in results]
    if all(isinstance(new, dict) for new in news):
        costs = [_table(model).get("costUSD") for new in news for model in _table(new).values()]
    else:
        costs = [results[-1].get("total_cost_usd")]
    known = [cost for cost in map(told_cost, costs) if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def _classify(text: str, status: object) -> tuple[Category | None, str]:
    """What kind of failure *text* and the HTTP *status* tell of, None where they do not, and the cure."""
    for pattern, category, cure in _SIGNS[:-1]:
        if re.search(pattern, text, re.I):
            return category, cure
    if isinstance(status, int):
        if status in (401, 403):
            return "system", LOG_IN
        if status == 413:
            return "task", SMALLER
        return ("transient" if status in (408, 409, 425, 429) or status >= 500 else "input"), ""
    pattern, category, cure = _SIGNS[-1]
    return (category, cure) if re.search(pattern, text, re.I) else (None, "")


def _is_error(result: dict[str, Any]) -> bool:
    return bool(result.get("is_error")) or result.get("subtype", "success") != "success"


def _aborted(result: dict[str, Any]) -> bool:
    return str(result.get("terminal_reason")).startswith("aborted")


def _told(result: dict[str, Any]) -> str:
    text = result.get("result") or "; ".join(map(str, _list(result.get("errors"))))
    return str(text or (result.get("subtype") if _is_error(result) else ""))


def _output(result: dict[str, Any]) -> dict[str, Any] | None:
    given = result.get("structured_output")
    return given if isinstance(given, dict) else None


def _exit(ended: Ended) -> str:
    return f" ({ended.how})"


def _blocks(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    content = _list(_table(event.get("message")).get("content"))
    return (block for block in content if isinstance(block, dict))


def _is_aside(event: dict[str, Any]) -> bool:
    """Whether it is a subagent's word, or claude's own about an error, which no model has said."""
    return bool(event.get("parent_tool_use_id")) or _table(event.get("message")).get("model") == SYNTHETIC


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(content: object) -> str:
    """The text of a tool result, which is a string or a list of blocks."""
    if isinstance(content, list):
        return "\n".join(str(block.get("text", "")) for block in content if isinstance(block, dict))
    return str(content or "")


def _line(text: str) -> str:
    """One short line."""
    first = text.strip().partition("\n")[0]
    return first if len(first) <= _LONGEST else first[: _LONGEST - 1] + "…"
