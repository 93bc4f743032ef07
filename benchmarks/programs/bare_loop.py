"""The bare limit: start what is ready, two at once, keep its output, write nothing down."""

import asyncio
import json
import sys
from collections import deque
from pathlib import Path


async def main(parallel: int) -> None:
    work = json.loads(Path("graph.json").read_text())
    graph, commands = work["needs"], work["commands"]
    waits = [len(needs) for needs in graph]
    after: list[list[int]] = [[] for _ in graph]
    for number, needs in enumerate(graph):
        for needed in needs:
            after[needed].append(number)
    ready = deque(number for number, count in enumerate(waits) if not count)
    running: set[asyncio.Task[int]] = set()
    while ready or running:
        while ready and len(running) < parallel:
            running.add(asyncio.create_task(run(ready.popleft(), commands)))
        done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            for number in after[task.result()]:
                waits[number] -= 1
                if not waits[number]:
                    ready.append(number)


async def run(number: int, commands: list[list[str]]) -> int:
    child = await asyncio.create_subprocess_exec(
        *commands[number], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    await child.communicate()
    if child.returncode:
        sys.exit(1)
    return number


asyncio.run(main(int(sys.argv[1])))
