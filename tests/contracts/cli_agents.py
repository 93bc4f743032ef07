"""Agent CLIs beside claude that act out the scenes of the contract: a declared one, codex, the real codex.

``declared`` is a program that speaks a language of its own, which a declaration explains; ``codex`` one that
prints a stream like codex's. Both play the same scenes, lies included, each in its own words.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aca import providers
from aca.safety.place import Patience
from tests.contracts.agents import LEAVE, Agent, located, workspace
from tests.model_server import Cut, Drip, Failure, Hang, ModelServer, Turn, text, tool
from tests.real_parts import codex, codex_environment

START = f"""\
#!{sys.executable} -S
import json, os, signal, subprocess, sys, time
if sys.argv[1:] == ["--version"]:
    print("agent 1.2.3"); sys.exit()
prompt = sys.stdin.read()
def say(**event):
    print(json.dumps(event), flush=True)
"""

DECLARED = """\
def said(words): say(event="say", words=words)
def used(name, about, wrong=None): say(event="tool", name=name, about={"what": about}, wrong=wrong)
def wrote(path, did): say(event="file", files=[{"path": os.path.abspath(path), "did": did}])
def refused(): say(event="refused", tool="Bash")
def end(): say(event="end", ok=True, tokens={"in": 300, "out": 60}, cost=0.002)
def fail(why): say(event="end", ok=False, why=why)
say(event="begin", id=sys.argv[sys.argv.index("--resume") + 1] if "--resume" in sys.argv else "first")
"""
DECLARATION: dict[str, Any] = {
    "kind": "cli",
    "permissions": {"read-only": ["--careful"], "workspace-write": [], "full": ["--bold"]},
    "conversation": {"when": {"event": "begin"}, "take": "id"},
    "text": {"when": {"event": "say"}, "take": "words"},
    "tool": {"when": {"event": "tool"}, "name": "name", "detail": "about.what", "error": "wrong"},
    "changed": {"when": {"event": "file"}, "take": "files.*.path", "kind": "files.*.did"},
    "usage": {"when": {"event": "end"}, "input": "tokens.in", "output": "tokens.out", "cost_usd": "cost"},
    "done": {"when": {"event": "end", "ok": True}},
    "failure": {"when": {"event": "end", "ok": False}, "take": "why"},
    "denied": {"when": {"event": "refused"}, "take": "tool"},
    "signs": [{"text": "no conversation", "means": "lost"}],
}

CODEX = """\
def item(**told): say(type="item.completed", item=told)
def said(words): item(type="agent_message", text=words)
def used(name, about, wrong=0): item(type="command_execution", command=about, exit_code=wrong)
def wrote(path, did):
    item(type="file_change", changes=[{"path": os.path.abspath(path), "kind": did}], status="completed")
def refused(): print("error=patch rejected: rejected by user approval settings", file=sys.stderr)
def end(**more):
    usage = {"input_tokens": 330, "cached_input_tokens": 30, "output_tokens": 60, **more}
    say(type="turn.completed", usage=usage)
def fail(why):
    say(type="error", message=why); say(type="turn.failed", error={"message": why}); sys.exit(1)
say(type="thread.started", thread_id="first")
say(type="item.completed", item={"type": "error", "message": "Model metadata not found."})
say(type="turn.started")
"""

PLAYED: dict[str, str] = {
    "edit": """
said("I write.")
open("hello.txt", "w").write("hello\\n")
used("write", "hello.txt"); wrote("hello.txt", "add")
open("hello.txt", "w").write("goodbye\\n")
used("edit", "hello.txt"); wrote("hello.txt", "update")
said("done"); end()
""",
    "denied": "refused(); said('I could not'); end()",
    "fail": "fail('unexpected status 529: overloaded')",
    "hang": "said('I begin.'); time.sleep(60)",
    "leave": f"subprocess.run(['sh', '-c', {LEAVE!r}]); said('done'); end()",
    "cut": 'sys.stdout.write(\'{"type": "turn.comp\')',
    "no result": "said('I did it all.')",
    "no output": "os.close(1)",
    "exit 0 on error": "\ntry: fail('boom')\nexcept SystemExit: pass",
    "empty": "end()",
    "too long": "fail('context_length_exceeded: the prompt is too long')",
    "no key": "fail('unexpected status 401 Unauthorized: bad key')",
    "unknown option": "sys.stderr.write(\"error: unexpected argument '--x'\\n\\nhelp\\n\"); sys.exit(2)",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "noise": "print('npm WARN old'); print('[1, 2]'); print('null'); said('done'); end(); print('5')",
    "not text": "sys.stdout.buffer.write(b'\\xff\\xfe\\n'); sys.stdout.flush(); said('done'); end()",
    "odd": "say(type='item.completed', item=None); say(event='tool', about=[1]); said('done'); end()",
    "huge": "used('run', 'x' * 5_000_000); said('done'); end()",
    "silent": "time.sleep(60)",
    "drip": """
for _ in range(10):
    print(".", end="", flush=True)
    time.sleep(0.1)
print(); said("done"); end()
""",
    "lingers": "said('done'); end(); time.sleep(60)",
    "deaf": """
signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)
said('I begin.'); time.sleep(60)
""",
    "goes on": "said('first'); end(); said('more')",
    "fails late": "said('first'); end(); fail('boom')",
    "exit 1 when done": "said('done'); end(); sys.exit(1)",
    "two results": "said('first'); end(); said('second'); end()",
    "asks": """
try: terminal = open("/dev/tty")
except OSError: terminal = sys.stdin
print("Go on? [y/N]", flush=True)
said("done" if terminal.readline() == "" else "I was answered"); end()
""",
    "64 KiB": """
said("done")
print(json.dumps({"type": "turn.completed", "event": "end", "x": "x" * 70_000})[:65_536], end="")
""",
    "garbled": """
words = b'{"type": "item.completed", "event": "say", "words": "\\xff", "item": {"text": "\\xff"}}\\n'
sys.stdout.buffer.write(words); sys.stdout.flush(); said("done"); end()
""",
    "storm": """
for _ in range(100): say(type="error", event="note", message="Reconnecting... 429 Too Many Requests")
fail("exceeded retry limit, last status: 429 Too Many Requests")
""",
    "waits": """
while True:
    say(type="error", message="Reconnecting... waiting for network"); time.sleep(0.05)
""",
    "told": "print(json.dumps([sys.argv[1:], prompt]), file=open('told', 'w')); said('done'); end()",
    "forgets": """
if "--resume" in sys.argv or "resume" in sys.argv:
    sys.stderr.write("Error: no conversation of that id; no rollout found\\n"); sys.exit(1)
said('done'); end()
""",
}


def program(tmp_path: Path, words: str, scene: str) -> str:
    """The scene as an executable."""
    path = tmp_path / "agent"
    path.write_text(f"{START}{words}{PLAYED[scene]}\n")
    path.chmod(0o755)
    return str(path)


@contextmanager
def declared(scene: str, tmp_path: Path, **options: Any) -> Iterator[Agent]:
    """The scene as a program that only its declaration explains."""
    command = [program(tmp_path, DECLARED, scene), ["--model", "{model}"], ["--resume", "{conversation}"]]
    section = {**DECLARATION, "command": command, **options}
    yield Agent(providers.get("mine", section), section, workspace(tmp_path))


@contextmanager
def fake_codex(scene: str, tmp_path: Path, **options: Any) -> Iterator[Agent]:
    """The scene as a program that prints what codex would."""
    section = {"command": [program(tmp_path, CODEX, scene)], **options}
    yield Agent(providers.get("codex-cli"), section, workspace(tmp_path))


PATCH = "apply_patch <<'END'\n*** Begin Patch\n{}\n*** End Patch\nEND"
SCENES: dict[str, list[Turn]] = {
    "edit": [
        [text("I write."), tool("exec_command", cmd=PATCH.format("*** Add File: hello.txt\n+hello"))],
        [tool("exec_command", cmd=PATCH.format("*** Update File: hello.txt\n-hello\n+goodbye"))],
        [tool("exec_command", cmd="sleep 0.2; test -s hello.txt")],
        [text("done")],
    ],
    "write": [[tool("exec_command", cmd=PATCH.format("*** Add File: hello.txt\n+hello"))], [text("done")]],
    "fail": [Failure(529, "overloaded_error", "overloaded")] * 3,
    "hang": [[text("I begin."), tool("exec_command", cmd="true")], Hang()],
    "leave": [[tool("exec_command", cmd=LEAVE)], [text("done")]],
    "remember": [[text("I begin.")], [text("I go on.")]],
    "cut": [Cut(), [text("done")]],
    "drip": [Drip([text("done")], 0.05)],
    "storm": [Failure(429, "rate_limit_error", "slow down", {"retry-after": "0"})] * 9,
}


@contextmanager
def real_codex(scene: str, tmp_path: Path, **options: Any) -> Iterator[Agent]:
    """The scene as a model's replies to the real codex."""
    command = str(codex())
    with ModelServer() as server:
        environment = codex_environment(tmp_path / "home", server.url(scene))
        where = workspace(tmp_path, environment=environment, patience=Patience(10, 5))
        server.script(scene, *(located(turn, where.root) for turn in SCENES[scene]))
        yield Agent(providers.get("codex-cli"), {"command": [command], **options}, where, model=server)


FAKES = {"declared": declared, "fake codex": fake_codex}
KINDS = {**FAKES, "codex": real_codex}
