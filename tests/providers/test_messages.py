"""What a person says is in a model's conversation once, wherever a kill may have come in between."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from aca.core.events import MessageSent
from aca.providers.base import Assignment
from aca.providers.models.conversation import Asked, Conversation

Moves = st.lists(st.sampled_from(["say", "pass on", "forgotten", "again"]), max_size=12)


@dataclass
class Listed:
    """Messages in two lists."""

    said: list[MessageSent] = field(default_factory=list)
    waiting: list[MessageSent] = field(default_factory=list)
    is_forgetful: bool = False
    """A kill keeps the journal from hearing that something was delivered."""

    def say(self) -> None:
        number = len(self.said) + 1
        self.said.append(MessageSent(seq=number, task="one", text=f"word {number};", by="ada"))
        self.waiting.append(self.said[-1])

    async def arrival(self) -> None:
        raise NotImplementedError("nobody waits here")

    def deliver(self, message: MessageSent) -> None:
        if not self.is_forgetful and message in self.waiting:
            self.waiting.remove(message)


def assignment(folder: Path, messages: Listed, conversation: str | None) -> Assignment:
    """The next attempt, whose prompt has all that was said."""
    prompt = "".join(message.text for message in messages.said)
    for message in list(messages.waiting):
        messages.deliver(message)
    return Assignment(
        task_id="one",
        title="One",
        attempt=1,
        prompt=prompt,
        system_prompt="",
        model=None,
        permissions="full",
        conversation=conversation,
        interrupted=conversation is not None,
        follow_up="",
        home=folder,
        logs=folder / "1",
        messages=messages,
    )


@given(before=st.integers(0, 3), moves=Moves)
def test_every_message_is_said_exactly_once(before: int, moves: list[str]) -> None:
    """In the prompt, passed on, passed on without the journal knowing, or said between two attempts."""
    messages = Listed()
    for _ in range(before):
        messages.say()
    with TemporaryDirectory() as name:
        talk = Conversation.of(assignment(Path(name), messages, None))
        for move in [*moves, "pass on"]:
            messages.is_forgetful = move == "forgotten"
            if move == "say":
                messages.say()
            elif move == "again":
                talk = Conversation.of(assignment(Path(name), messages, talk.id))
            else:
                talk.pass_on(messages)
        said = "".join(asked.text for asked in talk.messages if isinstance(asked, Asked))
    assert [said.count(message.text) for message in messages.said] == [1] * len(messages.said)
    assert messages.waiting == []
