"""More output than anybody wants to read: kept, told shortly, and never all of it in memory."""

from __future__ import annotations

import json
import sys

from tests.faults.test_surroundings import through
from tests.project import Project

ROOM = 400_000
"""KiB of address space that aca may have: less than it would take to hold the flood a few times."""
FLOODS = {
    "lines": ("seq 10000", 48_894),
    "much": ("head -c 100000000 /dev/zero | tr '\\0' x", 100_000_000),
    "broad": ("head -c 10000000 /dev/zero | tr '\\0' x; echo; exit 1", 10_000_001),
    "noise": ("head -c 1000000 /dev/urandom; exit 1", 1_000_000),
}
"""What each task prints, and how many bytes that are."""


def test_commands_may_print_what_they_like(project: Project) -> None:
    """All of it is in their logs; of a failure only the end is told."""
    project.write({f"{name}.sh": f"{command}\n" for name, (command, _) in FLOODS.items()})
    tasks = [f'- [ ] Print {{#{name} run="sh {name}.sh" retries=0}}\n' for name in FLOODS]
    project.write({"tasks.md": "".join(tasks)})
    outcome = through(project, f'ulimit -v {ROOM}; "$@"', "run", "tasks.md")
    states = project.session().state().states
    assert [name for name, now in states.items() if now.status == "failed"] == ["broad", "noise"], outcome
    assert len(outcome.stderr + outcome.stdout) < 20_000
    for name, (_, size) in FLOODS.items():
        logs = (project.session().task_logs / name).iterdir()
        assert size <= sum(path.stat().st_size for path in logs) < size + 100_000
    assert len(project.run("show", "broad").stdout) < 100_000
    assert len(project.session().journal_path.read_bytes()) < 100_000


def test_what_an_agent_s_program_prints_is_read_as_it_comes(project: Project) -> None:
    """A line of 10 MB that means nothing, one that does, and ten thousand short ones."""
    project.write(
        {
            "agent.py": """
            import json
            print("x" * 10_000_000)
            print(json.dumps({"say": "y" * 10_000_000}))
            for number in range(10_000):
                print(json.dumps({"say": f"line {number}"}))
            print(json.dumps({"done": "yes"}))
            """,
            "aca.toml": f"""
            provider = "loud"
            [providers.loud]
            kind = "cli"
            command = [{json.dumps(sys.executable)}, "agent.py"]
            permissions.workspace-write = []
            text.take = "say"
            done.when.done = "yes"
            """,
            "tasks.md": "- [ ] Talk {#talk}\n",
        }
    )
    outcome = project.run("run", "tasks.md", "--quiet")
    assert len(outcome.stderr + outcome.stdout) < 20_000
    assert project.session().state().states["talk"].summary == "line 9999"
