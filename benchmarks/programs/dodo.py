"""The same work for doit: real commands, one task each."""

import json
from pathlib import Path

DOIT_CONFIG = {"verbosity": 0, "backend": "sqlite3"}
_WORK = json.loads(Path("graph.json").read_text())


def task_t():  # type: ignore[no-untyped-def]
    for number, needs in enumerate(_WORK["needs"]):
        done, command = f"done/{number}", _WORK["commands"][number]
        needed = [f"t:{one}" for one in needs]
        if _WORK["files"]:  # by which it knows what is done, like every other build tool
            rest = {"actions": [command, ["touch", done]], "targets": [done], "uptodate": [True]}
        else:
            rest = {"actions": [command]}
        yield {"name": str(number), "task_dep": needed, **rest}
