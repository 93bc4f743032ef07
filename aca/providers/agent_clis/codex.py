"""The codex command line, by a declaration that aca brings along.

Its sandbox keeps the permissions: what it forbids fails as on a read-only disk, in most cases without a
word of that in the stream, so it is the checks that tell what was not done.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from aca.errors import Problem
from aca.plans.values import Duration, Model, Words
from aca.providers.agent_clis import declared as declared_cli
from aca.providers.agent_clis.declaration import Declaration
from aca.providers.base import Assignment, Availability, Errand, Step
from aca.providers.programs import CommandLine, find, in_containers, look
from aca.safety.place import Place

NAME = "codex-cli"
INSTALL = "install it with `npm install -g @openai/codex` and run `codex login`"


class Options(Model):
    """``providers.codex-cli`` of a plan."""

    command: CommandLine = ("codex",)
    """How codex is called: a program on the PATH, and arguments that come first."""
    model: str | None = None
    """For tasks that name none."""
    config: Words = ()
    """Settings of codex's own, each as for its ``--config``: ``model_reasoning_effort="high"``."""
    idle_timeout: Duration = Field(default=600.0, gt=0)
    """How long codex may print nothing new before it is stopped and tried again."""


def problems(options: Options, errands: Iterable[Errand], workspace: Path) -> list[Problem]:
    """What keeps codex from being used here: it is not installed."""
    found = find(options.command, INSTALL, workspace)
    return [] if found.ok or in_containers(errands) else [Problem(found.detail, found.cure)]


def program(options: Options) -> str:
    """What is started."""
    return options.command[0]


class CodexCli:
    """Runs ``codex exec`` in the task's directory."""

    name = NAME
    asks = False

    def check(self, options: Mapping[str, Any]) -> Availability:
        """Whether the program is there, and its version. Whether it is logged in shows when it works."""
        return look(Options.model_validate(options).command, INSTALL)

    def work(self, assignment: Assignment, place: Place) -> AsyncIterator[Step]:
        """Run codex on the assignment, in its earlier thread where there is one."""
        options = Options.model_validate(assignment.options)
        trusted = (place.path, place.root) if assignment.trusts_project else ()
        return declared_cli.work(NAME, declaration(options, trusted), assignment, place)


def declaration(options: Options, trusted: Iterable[Path] = ()) -> Declaration:
    """How codex is called and read. Settings in the directories *trusted* are honoured, too.

    Of others codex honours them only where its user has told itself to.
    """
    levels = ", ".join(f'{json.dumps(str(path))} = {{trust_level = "trusted"}}' for path in trusted)
    trust = ["--config", f"projects={{{levels}}}"] if levels else []
    # `exec resume` knows no --sandbox, so it is said as configuration, whose values are TOML.
    own = [part for setting in options.config for part in ("--config", setting)]
    return Declaration.model_validate(
        {
            "command": [*options.command, "exec", ["resume", "{conversation}"], "--json",
                        "--skip-git-repo-check", ["--model", "{model}"],
                        ["--output-schema", "{output_schema}"], *trust, *own, "{permissions}",
                        ["--config", "developer_instructions='''{system_prompt}'''"], "-"],
            "permissions": {name: ["--config", f'sandbox_mode="{mode}"'] for name, mode in SANDBOXES.items()},
            "model": options.model,
            "install": INSTALL,
            "idle_timeout": options.idle_timeout,
            "is_sandboxed": True,
            **STREAM,
        }
    )  # fmt: skip


SANDBOXES = {"read-only": "read-only", "workspace-write": "workspace-write", "full": "danger-full-access"}
STREAM: dict[str, Any] = {
    "conversation": {"when": {"type": "thread.started"}, "take": "thread_id"},
    "text": {"when": {"type": "item.completed", "item.type": "agent_message"}, "take": "item.text"},
    "tool": [
        {"when": {"type": "item.completed", "item.type": "command_execution"},
         "name": "item.type", "detail": "item.command", "error": "item.exit_code"},
        {"when": {"type": "item.completed", "item.type": "mcp_tool_call"},
         "name": "item.tool", "detail": "item.server", "error": "item.error"},
        {"when": {"type": "item.completed", "item.type": "web_search"},
         "name": "item.type", "detail": "item.query"},
    ],
    "changed": {"when": {"type": "item.completed", "item.type": "file_change", "item.status": "completed"},
                "take": "item.changes.*.path", "kind": "item.changes.*.kind"},
    "usage": {"when": {"type": "turn.completed"}, "input": "usage.input_tokens",
              "output": "usage.output_tokens", "cache_read": "usage.cached_input_tokens",
              "cache_write": "usage.cache_write_input_tokens", "input_includes_cached": True,
              "counts": "conversation"},
    "done": {"when": {"type": "turn.completed"}},
    "failure": {"when": {"type": "turn.failed"}, "take": "error.message"},
    "waiting": {"when": {"type": "error"}, "take": "message"},
    "signs": [
        {"text": "no rollout found|thread/resume failed", "means": "lost"},
        {"text": "rejected by user approval settings|approval policy", "means": "denied",
         "tool": "apply_patch", "cure": 'permissions = "workspace-write" or "full" would allow it'},
        {"text": "usage limit", "means": "quota"},
        {"text": "401 Unauthorized|403 Forbidden|not logged in", "means": "system",
         "cure": "run `codex login`, or give it its key"},
    ],
}  # fmt: skip
"""What the events of ``codex exec --json`` mean. Where there is no network it says so for ever."""
