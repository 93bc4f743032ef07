"""The real claude CLI in front of a closed five-hour window."""

from __future__ import annotations

import time

from aca.core import events as ev
from tests.model_server import Failure, ModelServer, text
from tests.project import Project
from tests.real_parts import claude

TASKS = """\
---
provider: claude-cli
providers: {{claude-cli: {{command: [{claude}]}}}}
---
1. Say hello {{#hello}}
2. Say goodbye {{#goodbye}}
"""


def environment(server: ModelServer) -> dict[str, str]:
    """A subscription's token, for which claude tells about windows."""
    return {
        "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-dummy",
        "ANTHROPIC_BASE_URL": server.url("work"),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": "0",
    }


def closed_until(at: float) -> Failure:
    headers = {
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-reset": f"{at:.0f}",
        "anthropic-ratelimit-unified-representative-claim": "five_hour",
        "retry-after": "3600",
    }
    return Failure(429, "rate_limit_error", "limit", headers)


def test_it_is_waited_for_and_then_all_is_done(project: Project, server: ModelServer) -> None:
    """The task that met it is made again once it is open, and not before."""
    opens = time.time() + 8
    server.script("work", closed_until(opens), [text("Hello.")], [text("Goodbye.")])
    project.write({"tasks.md": TASKS.format(claude=claude())})
    outcome = project.run("--task-file", "tasks.md", env=environment(server))
    assert "2 completed" in outcome.stdout
    interrupted = [event for event in project.journal() if isinstance(event, ev.TaskInterrupted)]
    assert [event.until for event in interrupted] == [float(f"{opens:.0f}")]
    starts = [event.at for event in project.journal() if isinstance(event, ev.TaskStarted)]
    assert len(starts) == 3
    assert starts[1] >= float(f"{opens:.0f}")


def test_the_run_ends_with_75_where_that_is_wanted(project: Project, server: ModelServer) -> None:
    """And says when to come back; until then aca does not even call it."""
    server.script("work", closed_until(4_000_000_000))
    project.write({"tasks.md": TASKS.format(claude=claude())})
    args = ("--on-quota", "exit", "--json")
    outcome = project.run("--task-file", "tasks.md", *args, env=environment(server), expect=75)
    assert outcome.json["until"] == 4_000_000_000
    calls = len(server.requests)
    project.run("resume", env=environment(server), expect=75)
    assert len(server.requests) == calls
    assert "100% of the five_hour window" in project.run("status").stdout
