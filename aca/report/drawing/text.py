"""Plain lines: level by level, with what each task comes after."""

from __future__ import annotations

from collections.abc import Iterator

from aca.report.drawing.picture import Node, Picture

_NAMED = 6
"""How many needs of a task are named; the rest is counted."""


def text(drawn: Picture) -> str:
    """One block per level; within one, nothing waits for anything else."""
    before: dict[str, list[str]] = {}
    for earlier, later in drawn.edges:
        before.setdefault(later, []).append(earlier)
    return "\n".join(_lines(drawn, before))


def _lines(drawn: Picture, before: dict[str, list[str]]) -> Iterator[str]:
    if drawn.of_levels:
        yield from (f"{node.id}: {node.label}" for node in drawn.nodes)
        return
    level = -1
    for node in sorted(drawn.nodes, key=lambda node: node.level):
        if node.level != level:
            level = node.level
            yield f"level {level + 1}"
        yield f"  {_name(node)}{_after(before.get(node.id, []))}"


def _name(node: Node) -> str:
    done = " (done)" if node.done else ""
    return (node.id if node.label == node.id else f"{node.id}: {node.label}") + done


def _after(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"  <- {', '.join(names[:_NAMED])}{more}" if names else ""
