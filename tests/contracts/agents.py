"""Agents of every kind, made to act out the same scenes: what the contract tests run.

``replay`` plays a script, ``fake`` is a program that prints a stream like claude's, ``claude`` is the real
one, talking to a scripted model.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, aclosing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from aca import providers
from aca.plans.settings import Permissions
from aca.providers.base import Assignment, Provider, Result, Step
from aca.safety.place import Patience, Place
from tests.model_server import Cut, Drip, Failure, Hang, ModelServer, Turn, text, tool
from tests.places import place
from tests.real_parts import CLAUDES, claude, claude_environment, claude_sdk

LEAVE = (
    "(setsid sh -c 'echo $$ > pid; exec tail -f /dev/null' > /dev/null 2>&1 &); "
    "while ! test -s pid; do sleep 0.01; done"
)
"""A shell line that leaves a process in a session of its own, its number in the file ``pid``."""


@dataclass
class Agent:
    """A provider that is ready to act out a scene, and where."""

    provider: Provider
    options: Mapping[str, Any]
    place: Place
    permissions: Permissions = "workspace-write"
    conversation: str | None = None
    attempt: int = 1
    follow_up: str = ""
    """What is said in a conversation that others have begun."""
    prompt: str = "Do what the scene says."
    system_prompt: str = ""
    model: ModelServer | None = None

    @property
    def logs(self) -> Path:
        return self.place.root.parent / "logs" / str(self.attempt)

    def work(self) -> AsyncIterator[Step]:
        """The steps of one attempt."""
        assignment = Assignment(
            task_id="task",
            title="A task",
            attempt=self.attempt,
            prompt=self.prompt,
            system_prompt=self.system_prompt,
            model=None,
            permissions=self.permissions,
            conversation=self.conversation,
            interrupted=self.conversation is not None and not self.follow_up,
            follow_up=self.follow_up,
            home=self.place.root.parent / "home",
            logs=self.logs,
            options=self.options,
        )
        return self.provider.work(assignment, self.place)

    async def steps(self) -> list[Step]:
        """All of them."""
        async with aclosing(cast(Any, self.work())) as steps:
            return [step async for step in steps]


def ending(steps: list[Step]) -> Result:
    """The result, which is the last step and the only one of its kind."""
    results = [step for step in steps if isinstance(step, Result)]
    assert [steps[-1]] == results
    return results[0]


def workspace(tmp_path: Path, **more: Any) -> Place:
    """An empty workspace with room for logs beside it."""
    root = tmp_path / "work"
    root.mkdir()
    return place(root, **more)


# -- replay -----------------------------------------------------------------------------------------------

REPLAYED: dict[str, list[dict[str, Any]]] = {
    "edit": [
        {"say": "I write."},
        {"write": "hello.txt", "content": "hello\n"},
        {"edit": "hello.txt", "old": "hello", "new": "goodbye"},
        {"usage": {"input_tokens": 300, "output_tokens": 60, "cost_usd": 0.002}},
        {"say": "done"},
    ],
    "denied": [{"deny": "Bash"}, {"say": "I could not"}],
    "fail": [{"fail": "overloaded", "category": "transient"}],
    "hang": [{"say": "I begin."}, {"hang": True}],
    "leave": [{"run": LEAVE}, {"say": "done"}],
    "write": [{"write": "hello.txt", "content": "hello\n"}, {"say": "done"}],
}


@contextmanager
def replayed(scene: str, tmp_path: Path) -> Iterator[Agent]:
    """The scene as a script."""
    where = workspace(tmp_path)
    script = tmp_path / "script.jsonl"
    script.write_text("".join(json.dumps({"task": "task", **step}) + "\n" for step in REPLAYED[scene]))
    yield Agent(providers.get("replay"), {"script": str(script)}, where)


# -- a program that claims to be claude -------------------------------------------------------------------

PRELUDE = f"""\
#!{sys.executable} -S
import json, os, signal, subprocess, sys, time
prompt = sys.stdin.read()
def say(**event):
    print(json.dumps(event), flush=True)
def assistant(*content):
    say(type="assistant", message={{"content": list(content)}})
def use(number, name, **given):
    assistant({{"type": "tool_use", "id": number, "name": name, "input": given}})
def used(number, text="fine", is_error=False, **result):
    block = {{"type": "tool_result", "tool_use_id": number, "content": text, "is_error": is_error}}
    say(type="user", message={{"content": [block]}}, tool_use_result=result)
def synthetic(text):
    say(type="assistant", message={{"model": "<synthetic>", "content": [{{"type": "text", "text": text}}]}})
def end(**told):
    if told.get("is_error") and told.get("result"): synthetic(told["result"])
    usage = {{"input_tokens": 300, "output_tokens": 60}}
    say(**{{"type": "result", "subtype": "success", "is_error": False, "result": "done", "usage": usage,
          "total_cost_usd": 0.002, "permission_denials": [], **told}})
say(type="system", subtype="init", session_id=sys.argv[sys.argv.index("--session-id") + 1])
"""

FAKED: dict[str, str] = {
    "edit": """
assistant({"type": "text", "text": "I write."})
use("1", "Write", file_path=os.path.abspath("hello.txt"))
open("hello.txt", "w").write("hello\\n")
used("1", type="create")
use("2", "Edit", file_path=os.path.abspath("hello.txt"))
open("hello.txt", "w").write("goodbye\\n")
used("2")
end()
""",
    "denied": "end(permission_denials=[{'tool_name': 'Bash'}], result='I could not')",
    "fail": "end(is_error=True, result='API Error: 529 overloaded', api_error_status=529); sys.exit(1)",
    "hang": "assistant({'type': 'text', 'text': 'I begin.'}); time.sleep(60)",
    "leave": f"subprocess.run(['sh', '-c', {LEAVE!r}]); end()",
    "cut": 'sys.stdout.write(\'{"type": "resu\')',
    "no result": "assistant({'type': 'text', 'text': 'I did it all.'})",
    "no output": "os.close(1)",
    "exit 0 on error": "end(is_error=True, subtype='error_during_execution', result=None, errors=['boom'])",
    "empty": "end(result='')",
    "noise": "print('npm WARN old'); print('[1, 2]'); print('null'); print('{\"type\": 5}'); end()",
    "not text": "sys.stdout.buffer.write(b'\\xff\\xfe\\n'); sys.stdout.flush(); end()",
    "odd": "say(type='assistant', message=None); say(type='user', message={'content': 'x'}); end(usage=None)",
    "huge": "use('1', 'Read', file_path='x'); used('1', 'x' * 5_000_000); end()",
    "silent": "time.sleep(60)",
    "drip": """
for _ in range(10):
    print(".", end="", flush=True)
    time.sleep(0.1)
print()
end()
""",
    "lingers": "end(); time.sleep(60)",
    "deaf": """
signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)
assistant({'type': 'text', 'text': 'I begin.'}); time.sleep(60)
""",
    "two results": "end(result='first'); assistant({'type': 'text', 'text': 'more'}); end(result='second')",
    "refusal": "end(is_error=True, stop_reason='refusal', result='I will not'); sys.exit(1)",
    "too long": "end(is_error=True, api_error_status=400, result='Prompt is too long'); sys.exit(1)",
    "asks": """
try: terminal = open("/dev/tty")
except OSError: terminal = sys.stdin
print("Go on? [y/N]", flush=True)
end(result="done" if terminal.readline() == "" else "I was answered")
""",
    "64 KiB": """
print(json.dumps({"type": "result", "subtype": "success", "result": "x" * 70_000})[:65_536], end="")
""",
    "garbled": """
said = b'{"type": "assistant", "message": {"content": [{"type": "text", "text": "\\xff"}]}}\\n'
sys.stdout.buffer.write(said); sys.stdout.flush(); end()
""",
    "free": "end(usage={'input_tokens': 0, 'output_tokens': 0}, total_cost_usd=0)",
    "storm": """
for attempt in range(100):
    say(type="system", subtype="api_retry", attempt=attempt, error_status=429, error="rate_limit")
end(is_error=True, result="API Error: 429 slow down", api_error_status=429); sys.exit(1)
""",
    "unknown option": "sys.stderr.write(\"error: unknown option '--x'\\n\"); sys.exit(1)",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
}


@contextmanager
def faked(scene: str, tmp_path: Path, **options: Any) -> Iterator[Agent]:
    """The scene as a program that prints what claude would."""
    program = tmp_path / "claude"
    program.write_text(f"{PRELUDE}{FAKED[scene]}\n")
    program.chmod(0o755)
    where = workspace(tmp_path)
    yield Agent(providers.get("claude-cli"), {"command": [str(program)], **options}, where)


# -- the real claude --------------------------------------------------------------------------------------

SCENES: dict[str, list[Turn]] = {
    "edit": [
        [text("I write."), tool("Write", file_path="WORK/hello.txt", content="hello\n")],
        [tool("Edit", file_path="WORK/hello.txt", old_string="hello", new_string="goodbye")],
        [text("done")],
    ],
    "denied": [[tool("Bash", command="python3 -c 1")], [text("I could not")]],
    "fail": [Failure(529, "overloaded_error", "overloaded")] * 3,
    "hang": [[text("I begin."), tool("Bash", command="true")], Hang()],
    "leave": [[tool("Bash", command=LEAVE, description="leave")], [text("done")]],
    "write": [[tool("Write", file_path="WORK/hello.txt", content="hello\n")], [text("done")]],
    "cut": [Cut(), [tool("Write", file_path="WORK/hello.txt", content="hello\n")], Cut(), [text("done")]],
    "drip": [Drip([text("done")], 0.05)],
    "storm": [Failure(429, "rate_limit_error", "slow down", {"retry-after": "0"})] * 9,
    "quota": [
        Failure(
            429,
            "rate_limit_error",
            "limit",
            {
                "anthropic-ratelimit-unified-status": "rejected",
                "anthropic-ratelimit-unified-reset": "4000000000",
                "anthropic-ratelimit-unified-representative-claim": "five_hour",
                "retry-after": "3600",
            },
        )
    ],
}


def located(turn: Turn, work: Path) -> Turn:
    """*turn* with the workspace's own path in it: tools want whole paths."""
    if isinstance(turn, list):
        return cast(Turn, json.loads(json.dumps(turn).replace("WORK", str(work))))
    return turn


@contextmanager
def real(scene: str, tmp_path: Path, version: str = CLAUDES[-1], **options: Any) -> Iterator[Agent]:
    """The scene as a model's replies to the real claude."""
    with acted(scene, tmp_path, "claude-cli", {"command": [str(claude(version))], **options}) as agent:
        yield agent


@contextmanager
def live(scene: str, tmp_path: Path, **options: Any) -> Iterator[Agent]:
    """The same through Claude's SDK, with the claude that comes with it."""
    claude_sdk()
    with acted(scene, tmp_path, "claude-sdk", options) as agent:
        yield agent


@contextmanager
def acted(scene: str, tmp_path: Path, provider: str, options: Mapping[str, Any]) -> Iterator[Agent]:
    """The provider, at a loopback model that plays the scene."""
    with ModelServer() as server:
        home = tmp_path / "home"
        environment = claude_environment(home, server.url(scene))
        where = workspace(tmp_path, environment=environment, patience=Patience(10, 5))
        server.script(scene, *(located(turn, where.root) for turn in SCENES[scene]))
        yield Agent(providers.get(provider), options, where, model=server)


Make = Callable[..., AbstractContextManager[Agent]]
"""Makes an agent that acts out a scene: ``make(scene, tmp_path, **options)``."""
REAL: dict[str, Make] = {
    **{f"claude {version}": partial(real, version=version) for version in CLAUDES},
    "claude-sdk": live,
}
KINDS: dict[str, Make] = {"replay": replayed, "fake": faked, **REAL}
