"""Asked by claude before it runs a command: ``python guard.py ROOT RULE...``, the command on stdin.

Exit code 2 keeps claude from it, and tells its model why (claude's documentation of hooks, "PreToolUse").
A program of its own, started for each command: it imports next to nothing.
"""

from __future__ import annotations

import json
import sys


def main(root: str, *rules: str) -> int:
    sys.path.insert(0, __file__.rpartition("/aca/")[0])
    from aca.safety.protection import Protection

    asked = json.load(sys.stdin)
    command, directory = str(asked["tool_input"].get("command", "")), str(asked.get("cwd", root))
    why = Protection((), rules).command_refusal(command, root, directory)
    if why is None:
        return 0
    sys.stderr.write(f"{why}\n")
    return 2


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
