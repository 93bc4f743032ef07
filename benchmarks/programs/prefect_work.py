"""The same number of tasks for prefect, which do nothing, on its own temporary server."""

import json
import os
from pathlib import Path

os.environ["PREFECT_HOME"] = str(Path("prefect").resolve())
os.environ["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"] = "120"

from prefect import flow, task

WORK = json.loads(Path("graph.json").read_text())


@task
def one(number: int) -> int:
    return number


@flow(log_prints=False)
def work() -> None:
    for number in range(len(WORK["needs"])):
        one(number)


work()
