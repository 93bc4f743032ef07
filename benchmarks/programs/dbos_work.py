"""The same work for DBOS on SQLite: a step per task: ``steps`` do nothing, ``commands`` run one."""

import json
import subprocess
import sys
from pathlib import Path

from dbos import DBOS, DBOSConfig, SetWorkflowID

config: DBOSConfig = {
    "name": "benchmark",
    "system_database_url": "sqlite:///dbos.sqlite",
    "run_admin_server": False,
    "log_level": "ERROR",
}
DBOS(config=config)
WORK = json.loads(Path("graph.json").read_text())


@DBOS.step()
def one(number: int) -> int:
    if sys.argv[1] == "commands":
        subprocess.run(WORK["commands"][number], check=True, capture_output=True)
    return number


@DBOS.workflow()
def work() -> int:
    return sum(one(number) for number in range(len(WORK["needs"])))


DBOS.launch()
with SetWorkflowID("work"):  # called again it has been done
    work()
DBOS.destroy()
