"""The same work for DBOS on SQLite, a step per task: ``steps`` do nothing, ``commands`` run one each.

Commands run so many at once, level by level, for steps have to begin in the same order each time. What does
nothing is done one by one.
"""

import asyncio
import json
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
WHAT, PARALLEL = sys.argv[1], int(sys.argv[2])


@DBOS.step()
def step(number: int) -> int:
    return number


@DBOS.workflow()
def steps() -> int:
    return sum(step(number) for number in range(len(WORK["needs"])))


@DBOS.step()
async def command(number: int) -> int:
    child = await asyncio.create_subprocess_exec(
        *WORK["commands"][number], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    await child.communicate()
    if child.returncode:
        raise RuntimeError(f"command {number} ended with {child.returncode}")
    return number


@DBOS.workflow()
async def commands() -> None:
    room = asyncio.Semaphore(PARALLEL)

    async def run(number: int) -> None:
        async with room:
            await command(number)

    for level in levels():
        await asyncio.gather(*map(run, level))


def levels() -> list[list[int]]:
    """Tasks that may run at the same time."""
    found: list[list[int]] = []
    depths: list[int] = []
    for number, needs in enumerate(WORK["needs"]):
        depths.append(1 + max((depths[one] for one in needs), default=-1))
        if depths[-1] == len(found):
            found.append([])
        found[depths[-1]].append(number)
    return found


async def main() -> None:
    with SetWorkflowID("work"):  # called again it has been done
        await commands()


DBOS.launch()
if WHAT == "commands":
    asyncio.run(main())
else:
    with SetWorkflowID("work"):
        steps()
DBOS.destroy()
