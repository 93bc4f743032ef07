"""Plans that use what aca can do, each carried out by a few commands: what is killed at every write."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from aca.core import events as ev
from aca.workspaces import kept
from tests.containers import SETTINGS, containers_of, engine
from tests.faults.sites import Site
from tests.model_server import ModelServer, text, tool

REPLAY = "provider: replay\nproviders: {replay: {script: replay.toml}}\n"
RUN = ("run", "tasks.md", "--quiet")
RESUME = ("resume", "--quiet")


def nothing_more(_site: Site) -> object:
    """What there is to compare beside states and marks."""
    return None


def nothing() -> object:
    """All that is needed is there."""
    return None


def no_model(_model: ModelServer, _scenario: str) -> None:
    """Nothing to say."""


@dataclass(frozen=True)
class Story:
    """A plan and the commands that carry it out, the last of which ends with *code*."""

    name: str
    tasks: str
    files: Mapping[str, str] = field(default_factory=dict)
    commands: tuple[tuple[str, ...], ...] = (RUN,)
    code: int = 0
    is_repository: bool = False
    result: Callable[[Site], object] = nothing_more
    """What is the same in the end, however often aca was killed."""
    say: Callable[[ModelServer, str], None] = no_model
    """What the model says, where one is asked."""
    needs: Callable[[], object] = nothing
    """Skips the test where something is missing."""


def mark(task: str, then: str = "") -> str:
    return f"printf x >> $MARKS/{task}{then}"


# -- retries ------------------------------------------------------------------------------------------------

RETRIES = Story(
    "retries",
    f"""\
- [ ] One {{#one run="{mark("one", "; test -e flag || { touch flag; exit 1; }")}" retries=3 retry_delay=0}}
- [ ] Two {{#two needs=one run="{mark("two", "; exit 1")}" retries=1 retry_delay=0}}
- [ ] Three {{#three needs=two run="{mark("three")}"}}
- [ ] Four {{#four needs=one run="{mark("four")}" check="test -e flag"}}
""",
    code=1,
)

# -- subtasks -----------------------------------------------------------------------------------------------

SUBTASKS = Story(
    "subtasks",
    f"---\n{REPLAY}max_concurrent_tasks: 2\n---\n"
    f'- [ ] Big {{#big check="test -e whole"}}\n- [ ] After {{#after needs=big run="{mark("after")}"}}\n',
    {
        "replay.toml": f"""\
[tasks.big]
steps = [{{subtasks = [
  {{id = "small", title = "Small", kind = "command", command = "{mark("small")}"}},
  {{id = "rest", title = "Rest", dependencies = ["small"]}},
]}}]
[tasks.rest]
steps = [{{run = "{mark("rest", "; touch whole")}", must = true}}]
"""
    },
)

# -- worktrees and merges -----------------------------------------------------------------------------------


def merged(site: Site) -> object:
    """What is in the branch, once each, and that the user's own checkout was left alone."""
    session = site.session()
    assert session is not None
    branch = f"aca/{session.id}"
    names = ("one.txt", "two.txt", "three.txt")
    site.git("fsck", "--no-dangling")
    for event in site.events():
        if isinstance(event, ev.AttemptEnded) and event.commit:
            site.git("cat-file", "-e", f"refs/aca/{session.id}/{event.task}/{event.attempt}")
    return (
        sorted(site.git("log", "--format=%s", f"main..{branch}").split()),
        [site.git("show", f"{branch}:{name}") for name in names],
        {"one", "two"} <= set(site.git("show", f"{branch}:shared.txt").split()),
        site.git("status", "--porcelain"),
        site.git("log", "--format=%s", "main"),
    )


MERGE = "; sed -i '/^[<=>]/d' $F"
"""Takes the markers of a conflict out of the file that all change."""

TREES = Story(
    "worktrees and merges",
    f"---\n{REPLAY}max_concurrent_tasks: 3\n"
    'workspace: {checks: "test ! -e red"}\n---\n'
    '- [ ] One {#one check="test -f one.txt" env.F=shared.txt}\n'
    "- [ ] Two {#two env.F=shared.txt}\n"
    "- [ ] Three {#three needs=one retry_delay=0}\n",
    {
        "shared.txt": "start\n",
        "replay.toml": f"""\
[tasks.one]
steps = [{{write = "one.txt", content = "one"}}, {{run = "{mark("one", MERGE)}; echo one >> $F"}}]
[tasks.two]
steps = [{{write = "two.txt", content = "two"}}, {{run = "{mark("two", MERGE)}; echo two >> $F"}}]
[tasks.three]
steps = [
  {{run = "{mark("three")}"}},
  {{write = "three.txt", content = "three"}},
  {{fail = "not yet", attempt = 1}},
]
""",
    },
    is_repository=True,
    result=merged,
)

# -- work in place -------------------------------------------------------------------------------------------


def kept_in_place(site: Site) -> object:
    """What attempts left, one after the other, leads from what was there to what is there."""
    session = site.session()
    assert session is not None
    begun = [(event.task, event.attempt) for event in site.events() if isinstance(event, ev.TaskStarted)]
    left = [
        piece
        for task, attempt in begun
        for piece in kept.pieces(session, session.state(), [task])
        if piece.number == attempt
    ]
    trees = [[piece.repository.tree(commit) for commit in (piece.base, piece.commit)] for piece in left]
    leads = all(after == before for (_, after), (before, _) in itertools.pairwise(trees))
    git, first, last = left[0].repository, left[0].base, left[-1].commit
    return (
        {path.name: path.read_text() for path in site.work.glob("*.txt")},
        leads,
        git.run("show", f"{first}:a.txt"),
        git.run("show", f"{last}:a.txt"),
        git.run("ls-tree", "--name-only", last).split(),
        sorted(path.name for path in (session.path / "file_changes").iterdir()),
        site.git("status", "--porcelain") if (site.work / ".git").exists() else "",
    )


INPLACE = Story(
    "work in place",
    f"---\n{REPLAY}---\n"
    "- [ ] One {#one}\n"
    f'- [ ] Two {{#two needs=one run="{mark("two", "; echo two > b.txt; echo two >> a.txt")}"}}\n'
    "- [ ] Three {#three needs=two retry_delay=0}\n",
    {
        "a.txt": "zero\n",
        "replay.toml": f"""\
[tasks.one]
steps = [{{write = "a.txt", content = "one\\n"}}, {{run = "{mark("one")}; echo one > new.txt"}}]
[tasks.three]
steps = [
  {{run = "{mark("three")}"}},
  {{write = "a.txt", content = "bad\\n", attempt = 1}}, {{fail = "not yet", attempt = 1}},
  {{write = "a.txt", content = "three\\n"}}, {{delete = "new.txt"}},
]
""",
    },
    result=kept_in_place,
)
INPLACE_IN_GIT = replace(INPLACE, name="work in place, in a repository", is_repository=True)

# -- people -------------------------------------------------------------------------------------------------

ASKS = Story(
    "approvals",
    f"""\
- [ ] One {{#one run="{mark("one")}"}}
- [ ] May it go out? {{#may needs=one kind=approval}}
- [ ] Out {{#out needs=may run="{mark("out")}"}}
- [ ] And this? {{#this needs=out kind=approval}}
- [ ] Never {{#never needs=this run="{mark("never")}"}}
""",
    commands=(RUN, ("approve", "may"), RESUME, ("reject", "this"), RESUME),
    code=1,
)

PERMISSIONS = Story(
    "asks for permission",
    f"---\n{REPLAY}---\n- [ ] One {{#one}}\n- [ ] Two {{#two needs=one}}\n",
    {
        "replay.toml": f"""\
[tasks.one]
steps = [{{deny = "Bash", attempt = 1}}, {{run = "{mark("one")}"}}]
[tasks.two]
steps = [{{run = "{mark("two")}"}}]
"""
    },
    commands=(RUN, RESUME),
)

MESSAGES = Story(
    "messages",
    f"---\n{REPLAY}---\n"
    f'- [ ] One {{#one run="{mark("one")}"}}\n'
    "- [ ] Wait {#wait kind=approval}\n- [ ] Two {#two needs=wait}\n",
    {"replay.toml": f'[tasks.two]\nsteps = [{{run = "{mark("two")}", must = true}}]\n'},
    commands=(RUN, ("send", "two", "Mind the gap."), ("approve", "wait"), RESUME),
    result=lambda site: "Mind the gap." in prompt(site, "two"),
)


def prompt(site: Site, task: str) -> str:
    """What the task's last attempt was told."""
    session = site.session()
    assert session is not None
    attempts = (session.task_logs / task).glob("*.prompt.md")
    return max(attempts, key=lambda path: int(path.name.split(".")[0])).read_text()


# -- plans that grow -----------------------------------------------------------------------------------------

ADDITIONS = Story(
    "additions",
    f"""\
- [ ] Both {{#both}}
  - [ ] One {{#one run="{mark("one")}"}}
  - [ ] Wait {{#wait kind=approval needs=one}}
- [ ] After {{#after needs=both run="{mark("after")}"}}
""",
    commands=(
        RUN,
        ("add", "More", "--under", "both", "--needs", "wait", "--run", mark("more")),
        ("add", "Last", "--needs", "after", "--run", mark("last")),
        ("approve", "wait"),
        RESUME,
    ),
)

BROKEN_DOWN = Story(
    "failures broken into tasks",
    f"---\n{REPLAY}---\n"
    '- [ ] Big {#big on_failure=decompose retries=0 check="test -e whole"}\n'
    "- [ ] Gate {#gate needs=big on_failure=decompose retries=0 "
    f"""run="{mark("gate", "; test -e mended")}"}}\n"""
    f'- [ ] After {{#after needs=gate run="{mark("after")}"}}\n',
    {
        "replay.toml": f"""\
[tasks.big]
steps = [{{output = {{tasks = [
  {{title = "Small", description = "The first.", dependencies = []}},
  {{title = "Rest", description = "The second.", dependencies = ["Small"]}},
]}}}}]
[tasks."big.small"]
steps = [{{run = "{mark("big.small")}", must = true}}]
[tasks."big.rest"]
steps = [{{run = "{mark("big.rest", "; touch whole")}", must = true}}]
[tasks."*"]
steps = [{{run = "touch mended", must = true}}]
"""
    },
)

PROPOSALS = Story(
    "proposals",
    f'---\n{REPLAY}---\n- [ ] Build {{#build}}\n- [ ] Ship {{#ship needs=build run="{mark("ship")}"}}\n',
    {
        "replay.toml": f"""\
[tasks.build]
steps = [
  {{propose = {{title = "Mend", description = "It is late."}}}},
  {{propose = {{title = "Paint", description = "It is grey."}}}},
  {{run = "{mark("build")}", must = true}},
]
[tasks."build.mend"]
steps = [{{run = "{mark("build.mend")}", must = true}}]
[tasks."build.paint"]
steps = [{{run = "{mark("build.paint")}", must = true}}]
"""
    },
    commands=(RUN, ("approve", "build.mend"), ("reject", "build.paint"), RESUME),
)

# -- models -------------------------------------------------------------------------------------------------

OLLAMA = """\
provider = "ollama"
model = "small"
[providers.ollama]
max_tokens = 50
[prices.small]
input = 10
output = 100
"""


def calls(site: Site) -> object:
    """That each call which began has ended, or counts with its reserve, once."""
    session = site.session()
    assert session is not None
    happened, state = site.events(), session.state()
    started = {(e.task, e.attempt, e.call): e for e in happened if isinstance(e, ev.CallStarted)}
    ended = {(e.task, e.attempt, e.call): e for e in happened if isinstance(e, ev.CallEnded)}
    lost = [started[key] for key in started.keys() - ended.keys()]
    told = [event.usage for event in ended.values() if event.usage is not None]
    reserved = sum(call.reserved.tokens for call in lost)
    return (
        len(started) == sum(isinstance(event, ev.CallStarted) for event in happened),
        state.calls == {},
        state.spent.estimated == len(lost),
        state.spent.tokens == reserved + sum(usage.tokens for usage in told),
        state.spent.unknown_costs,
    )


def say_two(model: ModelServer, scenario: str) -> None:
    for task in ("The bee", "The ant"):
        model.script(scenario, [tool("write", path=f"{task}.txt", content="x")], when=f"# {task}")
    model.script(scenario, *[[text("Done.")]] * 9)


CALLS = Story(
    "calls and a budget",
    "---\nlimits: {max_cost_usd: 1}\n---\n1. The ant\n2. The bee\n",
    {"aca.toml": OLLAMA},
    result=calls,
    say=say_two,
)


def say_one(model: ModelServer, scenario: str) -> None:
    model.script(scenario, [tool("write", path="x.txt", content="x")], *[[text("Done.")]] * 9)


CONVERSATION = Story(
    "a shared conversation",
    "---\nmax_concurrent_tasks: 3\n---\n"
    "- [ ] Both {#both}\n"
    "  - [ ] Write it {#write conversation=parent}\n"
    "  - [ ] Make it louder {#louder conversation=parent}\n",
    {"aca.toml": OLLAMA},
    result=calls,
    say=say_one,
)

FALLBACK = Story(
    "fallback",
    f"---\n{REPLAY}defaults: {{fallback: ['ollama:small']}}\n---\n- [ ] One {{#one}}\n- [ ] Two {{#two}}\n",
    {
        "replay.toml": '[tasks."*"]\nsteps = [{quota = "unknown", reason = "enough for today"}]\n',
        "aca.toml": OLLAMA.partition("\n")[2].partition("\n")[2],
    },
    result=calls,
    say=say_one,
)

# -- containers ---------------------------------------------------------------------------------------------

CONTAINERS = Story(
    "containers",
    f"---\n{SETTINGS}, network_mode: none}}\nmax_concurrent_tasks: 2\n---\n"
    '- [ ] One {#one run="echo 1 >> one"}\n'
    '- [ ] Two {#two run="test -e two || { echo 2 > two; exit 1; }" retries=3 retry_delay=0}\n'
    '- [ ] Three {#three run="cat one two" needs="one two"}\n',
    result=lambda site: [container.name for container in containers_of(site.work)],
    needs=engine,
)

STORIES = (
    *(RETRIES, SUBTASKS, TREES, INPLACE, ASKS, PERMISSIONS, MESSAGES, ADDITIONS, BROKEN_DOWN, PROPOSALS),
    *(CALLS, CONVERSATION, FALLBACK, CONTAINERS),
)
