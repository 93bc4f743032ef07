"""What is told of an attempt, as steps of a script: the text says what was told."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aca.core.events import FileChange, Usage
from aca.providers.base import Changed, Conversed, Limited, Result, Said, Step, Used
from aca.providers.replaying.retold import retold, toml, value
from aca.providers.replaying.tree import Content, Difference

texts = st.text(st.characters(exclude_categories=["Cs"])) | st.text(alphabet="\"\\\n\r\t\x00\x7f\x85'a")
plain = (
    texts
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)
data = st.recursive(plain, lambda one: st.lists(one) | st.dictionaries(texts, one), max_leaves=10)


@given(data)
def test_whatever_is_written_reads_back(given: Any) -> None:
    """Quotes, ends of lines, control characters, numbers, lists and tables."""
    assert tomllib.loads(f"x = {value(given)}") == {"x": given}


@given(texts, st.lists(st.dictionaries(texts, plain), min_size=1))
def test_steps_read_back_under_the_name_of_their_task(name: str, steps: list[dict[str, Any]]) -> None:
    """Any id can be a key."""
    steps = [{key: one for key, one in step.items() if key != "attempt"} for step in steps]
    read = tomllib.loads(toml(name, 3, steps))
    assert read == {"tasks": {name: {"steps": [{"attempt": 3, **step} for step in steps]}}}


def test_text_of_several_lines_stays_readable() -> None:
    """A file's content stands in the script as it stands in the file."""
    assert value('say "hi"\n  to\\all\n') == '"""\nsay "hi"\n  to\\\\all\n"""'


def test_everything_told_becomes_a_step_in_order() -> None:
    """What was shown, then the files, then the ending; secrets struck out everywhere."""
    told: list[Step] = [
        Conversed("c1"),
        Said("the secret is hunter22"),
        Used("run", "cat hunter22", "exit code 1"),
        Changed(FileChange("a", "created")),
        Limited({"left": 1}),
        Result("done", text="fine", usage=Usage(5, cost_usd=0.5), subtasks=({"title": "t", "id": None},)),
    ]
    found = Difference({}, [Content("a", b"hunter22\n", False), Content("b", b"\xffhunter22", True)], ["c"])
    assert retold(told, found, {"MY_TOKEN": "hunter22"}) == [
        {"conversation": "c1"},
        {"say": "the secret is ********"},
        {"used": "run", "detail": "cat ********", "error": "exit code 1"},
        {"changed": "a", "action": "created"},
        {"delete": "c", "quiet": True},
        {"write": "a", "content": "********\n", "quiet": True},
        {"write": "b", "base64": "/yoqKioqKioq", "executable": True, "quiet": True},
        {"usage": {"input_tokens": 5, "cost_usd": 0.5}},
        {"subtasks": [{"title": "t"}]},
        {"result": "fine"},
    ]


def test_where_a_secret_lies_is_no_secret() -> None:
    """The path of a certificate stands in ordinary files, which are played as they were."""
    assert retold([Said("see /etc/ssl/key.pem")], Difference(), {"SSL_KEY_FILE": "/etc/ssl/key.pem"}) == [
        {"say": "see /etc/ssl/key.pem"}
    ]


def test_half_a_character_is_replaced() -> None:
    """Agents print them; no file takes them."""
    assert retold([Said("\ud800x")], Difference(), {}) == [{"say": "?x"}]
