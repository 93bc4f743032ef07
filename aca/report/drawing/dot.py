"""Graphviz's language."""

from __future__ import annotations

from collections.abc import Iterator

from aca.report.drawing.picture import Picture

_SHAPES = {"agent": "box", "command": "cds", "approval": "hexagon", "tasks": "folder"}


def dot(drawn: Picture) -> str:
    """A digraph from left to right, groups as clusters."""
    lines = [f"digraph {_quoted(drawn.name or 'plan')} {{", "  rankdir=LR;", "  node [fontname=sans];"]
    lines += _inside(drawn, None, 1)
    lines += [f"  {_quoted(one)} -> {_quoted(other)};" for one, other in drawn.edges]
    return "\n".join([*lines, "}"])


def _inside(drawn: Picture, frame: str | None, depth: int) -> Iterator[str]:
    indent = "  " * depth
    for name, (label, around) in drawn.frames.items():
        if around == frame:
            yield f"{indent}subgraph {_quoted(f'cluster_{name}')} {{"
            yield f"{indent}  label={_quoted(label)};"
            yield from _inside(drawn, name, depth + 1)
            yield f"{indent}}}"
    for node in drawn.nodes:
        if node.frame == frame:
            look = f"shape={_SHAPES[node.kind]}" + (", style=dashed" if node.done else "")
            yield f"{indent}{_quoted(node.id)} [label={_quoted(node.label)}, {look}];"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
