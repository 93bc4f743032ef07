"""What a session's directory has besides its journal, and from that: pictures for people and other tools."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from aca.core import events as ev
from aca.core.state import SessionState
from aca.plans.plan import profile
from aca.sessions import journal
from aca.sessions.session import Session


class Derived:
    """Keeps the files that are derived from the journal, at every checkpoint and at the end."""

    def __init__(self, one: Session) -> None:
        self._session = one

    def event(self, event: ev.Event, state: SessionState) -> None:
        if isinstance(event, ev.RunStarted | ev.RunEnded | ev.CheckpointCreated):
            write_derived(self._session, state)


def snapshot(state: SessionState) -> dict[str, Any]:
    """A readable picture of *state*: metadata, progress, task hierarchy."""
    return {**_head(state), "tasks": [_picture(state, task_id) for task_id in state.tasks]}


def _head(state: SessionState) -> dict[str, Any]:
    return {
        "session": state.session,
        "name": state.plan.name,
        "created_at": state.created_at,
        "updated_at": state.updated_at,
        "forked_from": state.forked_from or None,
        "journal_seq": state.seq,
        "progress": {**state.counts, "total": len(state.tasks)},
        "usage": {
            "tokens": state.spent.tokens,
            "cost_usd": None if state.spent.unknown_costs else state.spent.cost_usd,
            "known_cost_usd": state.spent.cost_usd,
            "calls_of_unknown_cost": state.spent.unknown_costs,
            "estimated_calls": state.spent.estimated,
        },
    }


def _picture(state: SessionState, task_id: str) -> dict[str, Any]:
    task, now = state.tasks[task_id], state.states[task_id]
    return {
        "id": task_id,
        "title": task.title,
        "kind": task.kind,
        "status": now.status,
        "reason": now.reason,
        "origin": now.origin,
        "parent_id": task.parent_id,
        "children": state.children.get(task_id, []),
        "dependencies": list(task.dependencies),
        "attempts": now.attempts,
        "created_at": state.created_at,
        "started_at": now.started_at or None,
        "updated_at": now.ended_at or now.started_at or state.created_at,
        "seconds": round(now.seconds, 3),
        "output": now.output,
        "notes": list(now.notes),
    }


def write_derived(session: Session, state: SessionState) -> None:
    """Rewrite everything that is derived from the journal: pictures for people and other tools."""
    conversations: dict[str, list[dict[str, str]]] = {}
    for task_id, now in state.states.items():
        if now.conversation is not None:
            provider, conversation = now.conversation
            entry = {"task": task_id, "conversation": conversation, "last_message": now.summary}
            conversations.setdefault(provider, []).append(entry)
    changes = [
        {"task": task_id, "path": change.path, "action": change.action}
        for task_id, now in state.states.items()
        for change in now.files
    ]
    journal.write_aside(session.path / "meta" / "session.json", *_written(state))
    _write_json(session.path / "file_changes" / "change_log.json", changes)
    for provider in _used_providers(state):
        _write_json(session.path / provider / "messages.json", conversations.get(provider, []))
        options = state.plan.providers.get(provider, {})
        defaults = state.plan.defaults.model_dump(mode="json")
        settings = {"options": options, "defaults": defaults}
        _write_json(session.path / provider / "session_config.json", settings)


def _written(state: SessionState) -> Iterator[bytes]:
    """The picture as it is written, a line for each task: all at once would take several times the memory."""
    yield _formatted(_head(state)).removesuffix(b"\n}") + b',\n  "tasks": ['
    for number, task_id in enumerate(state.tasks):
        yield b",\n    " if number else b"\n    "
        yield msgspec.json.encode(_picture(state, task_id))
    yield b"\n  ]\n}\n"


def _used_providers(state: SessionState) -> set[str]:
    agents = (task for task in state.tasks.values() if task.kind == "agent")
    tried = (profile(state.plan, task).provider for task in agents if state.states[task.id].attempts)
    return {name for name in tried if name}


def _write_json(path: Path, value: object) -> None:
    path.parent.mkdir(exist_ok=True)
    journal.write_aside(path, _formatted(value), b"\n")


def _formatted(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2)
