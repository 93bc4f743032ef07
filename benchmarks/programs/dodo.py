"""The same work for doit: real commands, one task each."""

import json
from pathlib import Path

DOIT_CONFIG = {"verbosity": 0, "backend": "sqlite3"}
_WORK = json.loads(Path("graph.json").read_text())


def task_t():  # type: ignore[no-untyped-def]
    for number, needs in enumerate(_WORK["needs"]):
        done = f"done/{number}"
        yield {
            "name": str(number),
            "actions": [_WORK["commands"][number]],
            "task_dep": [f"t:{needed}" for needed in needs],
            # Like every other build tool it can only know what is done by a file.
            **({"targets": [done], "uptodate": [True]} if _WORK.get("files") else {}),
        }
