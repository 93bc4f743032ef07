"""``aca init``: the files to begin with."""

from __future__ import annotations

from pathlib import Path

from aca.cli.options import Workspace
from aca.cli.screen import Screen

SETTINGS = """\
# Settings of this project for aca. Each line that begins with "# " shows a default: take the "# " away to
# change it. Flags and ACA_* variables win over this file; `aca config` tells where each value comes from.

# provider = "claude-cli"            # who does agent tasks; else the first that is here: see `aca providers`
# model = "..."                      # the provider's own choice when left out
# permissions = "workspace-write"    # or "read-only", "full"
# sandbox.mode = "auto"              # or "require", "off": whether bubblewrap keeps agents to them
# retries = 2                        # how often a failed agent task is tried again
# timeout = "30m"                    # for one attempt
# checks = ["pytest -q"]             # decide whether an agent task is done
# execution_mode = "sequential"      # or "parallel", "intelligent"
# max_concurrent_tasks = 3           # with "parallel" and "intelligent"
# fail_fast = false                  # true: stop at the first failed task

# [limits]
# max_cost_usd = 5.0
# max_tokens = 2_000_000
# max_duration = "8h"                # of one run

# [docker]
# image = "my-agents"                # agents, commands and checks work in containers made of it
# memory_limit = "4g"
# allow_hosts = ["api.anthropic.com:443"]

# [roles.reviewer]
# system_prompt = "You review code and change nothing."
# permissions = "read-only"
"""

TASKS = """\
# My project

What is written here is context for every task: what the project is, where things are.

- [ ] Say what there is {#survey}
  Read the project and write a short overview of it to `OVERVIEW.md`.
- [ ] Suggest what to do next {#suggest needs=survey}
  Read `OVERVIEW.md` and add a section "Next steps" with three suggestions.
- [ ] The overview has its next steps {run="grep -q 'Next steps' OVERVIEW.md" needs=suggest}
"""


def init(workspace: Workspace = Path()) -> int:
    """Write a commented aca.toml, an example task file and .aca with the schema of plans; no file of yours is
    overwritten."""
    from aca.preparation import schemas
    from aca.sessions import session
    from aca.sessions.whereabouts import HOME

    screen = Screen()
    ignore = workspace / HOME / ".gitignore"
    was_there = ignore.exists()
    session.home(workspace)
    screen.result(f"{'kept ' if was_there else 'wrote'} {HOME}/.gitignore")
    is_new = schemas.keep(workspace)
    screen.result(f"{'wrote' if is_new else 'kept '} {HOME}/{schemas.FILE}")
    for name, text in (("aca.toml", SETTINGS), ("tasks.md", TASKS)):
        screen.result(f"{_write_new(workspace / name, text)} {name}")
    screen.result("next: aca --task-file tasks.md --dry-run")
    return 0


def _write_new(path: Path, text: str) -> str:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return "kept "
    return "wrote"
