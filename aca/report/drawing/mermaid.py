"""Mermaid, which GitHub and many editors draw in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from aca.report.drawing.picture import Node, Picture

_SHAPES = {"agent": ("[", "]"), "command": ("[[", "]]"), "approval": ("{{", "}}"), "tasks": ("([", "])")}


def mermaid(drawn: Picture) -> str:
    """A flowchart from left to right, groups as frames."""
    names = {name: f"t{number}" for number, name in enumerate([*drawn.frames, *(n.id for n in drawn.nodes)])}
    lines = ["flowchart LR", *_inside(drawn, names, None, 1)]
    lines += [f"  {names[one]} --> {names[other]}" for one, other in drawn.edges]
    if done := [names[node.id] for node in drawn.nodes if node.done]:
        lines += ["  classDef done opacity:0.5", f"  class {','.join(done)} done"]
    return "\n".join(lines)


def _inside(drawn: Picture, names: dict[str, str], frame: str | None, depth: int) -> Iterator[str]:
    indent = "  " * depth
    for name, (label, around) in drawn.frames.items():
        if around == frame:
            yield f'{indent}subgraph {names[name]}["{_quoted(label)}"]'
            yield from _inside(drawn, names, name, depth + 1)
            yield f"{indent}end"
    for node in drawn.nodes:
        if node.frame == frame:
            yield f"{indent}{names[node.id]}{_box(node)}"


def _box(node: Node) -> str:
    left, right = _SHAPES[node.kind]
    return f'{left}"{_quoted(node.label)}"{right}'


def _quoted(text: str) -> str:
    """Mermaid's own entities; ``#`` first, for the others begin with it."""
    for sign, entity in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;"), ("`", "#96;")):
        text = text.replace(sign, entity)
    return text
