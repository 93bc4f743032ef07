"""Replies of model APIs that break off anywhere, or are not what they should be: a failure with its reason.

Everything happens in this process; the replies come over the loopback from a server that is sent them.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.models import KEY, KINDS, Kind
from tests.dialects import Dialect, spoken_at
from tests.faults.fuzz import fuzz, judged
from tests.faults.mutation import broken, mutated
from tests.faults.tally import Tally
from tests.model_server import ModelServer, Raw, text, tool

SAID = [text("I write."), tool("write", path="a.txt", content="hello")]
Answer = Callable[[bytes], None]
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
every_kind = pytest.mark.parametrize("kind", KINDS)


def reply(one: Kind, dialect: Dialect) -> list[bytes]:
    """The events of a sound reply, or the one document that it is."""
    if one.streams:
        return list(dialect.stream(SAID, "small", ""))
    return [json.dumps(dialect.whole(SAID, "small", "")).encode()]


def data_of(event: bytes) -> Any:
    """What an event says, or the line itself where that is no JSON."""
    said = event.decode().rpartition("data: ")[2]
    return said if "[DONE]" in said else json.loads(said)


@pytest.fixture
def answer(
    kind: str, desk: Path, tally: Tally, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> Answer:
    """Let a task be done by a model whose first reply is what is given."""
    one, numbers = KINDS[kind], itertools.count()
    for each in KINDS.values():
        monkeypatch.setenv(each.key, KEY)
    options = "".join(f'{name} = "{value}"\n' for name, value in one.options.items())
    (desk / "tasks.md").write_text("- [ ] Write\n")

    def give(content: bytes) -> None:
        scenario = f"{kind}-{next(numbers)}"
        model.script(scenario, Raw(content, "text/event-stream" if one.streams else "application/json"))
        where = f'{one.address} = "{model.url(scenario)}"\n'
        settings = f'provider = "{one.provider}"\n[providers.{one.provider}]\n{where}{options}'
        (desk / "aca.toml").write_text(f"{settings}[rate_limiting]\nmax_backoff_seconds = 0.01\n")
        judged(content, tally, ("run", "tasks.md", "--quiet", "--retries", "0", "--timeout", "20s"))

    return give


@every_kind
def test_a_reply_cut_at_a_byte(kind: str, answer: Answer, tally: Tally) -> None:
    """The provider is gone in the middle of a stream."""
    whole = b"".join(reply(KINDS[kind], spoken_at(KINDS[kind].path)))
    for length in tally.sample(range(len(whole)), 2):
        tally.of -= 1
        answer(whole[:length])


@every_kind
def test_a_reply_broken_anywhere(kind: str, answer: Answer, tally: Tally) -> None:
    """Bytes that are missing, repeated, or others."""
    fuzz(tally, broken(b"".join(reply(KINDS[kind], spoken_at(KINDS[kind].path)))), answer, 2)


@every_kind
def test_a_reply_with_something_else_in_it(kind: str, answer: Answer, tally: Tally) -> None:
    """Each event sound as JSON, but not what was agreed upon."""
    dialect = spoken_at(KINDS[kind].path)
    events = [data_of(event) for event in reply(KINDS[kind], dialect)]

    def example(data: list[Any]) -> None:
        if not KINDS[kind].streams:
            return answer(json.dumps(data[:1]).encode()[1:-1])
        return answer(b"".join(dialect.event(one if isinstance(one, dict) else {"": one}) for one in data))

    fuzz(tally, mutated(events), example, 4)
