"""What ``test_fuzz.py`` breaks by chance, broken by what it leads to: atheris looks which code is reached.

``pip install atheris``, where it has a wheel for this Python; then one target, and options of libFuzzer:

    python -m tests.faults.atheris_fuzz markdown -max_total_time=60

A complaint is fine; any other exception ends it, with the bytes that lead there in a file ``crash-...``.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["aca"]):
    from aca.core.fold import MisplacedEventError, fold
    from aca.core.state import SessionState
    from aca.errors import AcaError
    from aca.parse import dump_text
    from aca.plans.plan import Plan
    from aca.processes.process import Ended
    from aca.sessions import journal
    from tests.core.stories import Story, task
    from tests.faults import test_fuzz
    from tests.parse.desk import Desk
    from tests.places import place
    from tests.plans.full_plan import APPROVED
    from tests.providers.test_claude_stream import SAMPLES

Target = tuple[Callable[[bytes], object], Iterable[bytes]]
"""What takes bytes, and sound ones to begin with."""


def file(desk: Desk, name: str, *texts: str) -> Target:
    return lambda data: desk.plan(data, name), map(str.encode, texts)


def events(desk: Desk) -> Target:
    """Lines of a journal, each with the right checksum, and the state they make."""
    story = Story(desk.root / "sound.jsonl", Plan(tasks=(task("a"), task("b", dependencies=["a"]))))
    story.run()
    sound = re.sub(rb',"crc":"\w+"}', b"}", story.path.read_bytes())

    def read(data: bytes) -> None:
        lines = [journal._seal(line) for line in data.splitlines() if line.endswith(b"}")]
        with suppress(MisplacedEventError):
            fold(SessionState(story.plan), journal.read(desk.write("journal.jsonl", b"".join(lines))))

    return read, [sound]


def stream(desk: Desk, kind: str, samples: Iterable[bytes]) -> Target:
    """What an agent prints, to its end."""

    def take(data: bytes) -> None:
        reading = test_fuzz.reader(kind, place(desk.root))
        for line in data.splitlines():
            list(reading.take(line))
        reading.verdict(Ended(0, 1.0), "")

    return take, samples


def targets(desk: Desk) -> dict[str, Target]:
    claude = [path.read_bytes() for path in sorted(SAMPLES.glob("*.jsonl"))]
    codex = "\n".join(map(json.dumps, test_fuzz.CODEX)).encode()
    return {
        "markdown": file(desk, "t.md", test_fuzz.MARKDOWN, test_fuzz.BODY),
        "org": file(desk, "t.org", test_fuzz.ORG),
        "toml": file(desk, "t.toml", test_fuzz.TOML),
        "plan": file(desk, "plan.json", dump_text(Plan.model_validate(APPROVED), "json")),
        "journal": events(desk),
        "claude": stream(desk, "claude", claude),
        "codex": stream(desk, "codex", [codex]),
    }


def main(name: str = "", *options: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder, "work"))
        desk.write("replay.toml", "")
        known = targets(desk)
        if name not in known:
            sys.exit(f"name one of {', '.join(known)}, and then what libFuzzer is to know")
        give, sound = known[name]
        corpus = Path(folder, "corpus")
        corpus.mkdir()
        for number, data in enumerate(sound):
            (corpus / str(number)).write_bytes(data)

        def one(data: bytes) -> None:
            with suppress(AcaError):
                give(data)

        atheris.Setup([sys.argv[0], str(corpus), *options], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
