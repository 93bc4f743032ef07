"""SVG: a column per level, drawn without any other program. It is text and can be looked at in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

import msgspec

from aca.report.drawing.picture import Node, Picture

_CHARACTER, _PADDING, _HEIGHT = 7.2, 12, 28
"""Width of a character at 12 px, space beside a label, height of a box."""
_GAP, _ROW, _MARGIN = 56, 40, 16
_STYLE = """\
text{font:12px monospace;fill:#222}rect{fill:#eef3fb;stroke:#4a6fa5;rx:4px}
.command rect{fill:#eef8ee;stroke:#4a8a4a}.approval rect{fill:#fdf3e0;stroke:#b07a20}
.tasks rect{fill:#f3eefb;stroke:#7a5aa5}.done{opacity:.5}path{fill:none;stroke:#888}"""


class _Box(msgspec.Struct, frozen=True):
    node: Node
    x: float
    y: float
    width: float


def svg(drawn: Picture) -> str:
    """One document with its own style; the full label of a box is its tooltip."""
    boxes = {box.node.id: box for box in _placed(drawn)}
    width = max((box.x + box.width for box in boxes.values()), default=0) + _MARGIN
    height = max((box.y + _HEIGHT for box in boxes.values()), default=0) + _MARGIN
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', f"<style>{_STYLE}</style>"]
    lines.append(f"<title>{escape(drawn.name)}</title>")
    lines += [_arrow(boxes[one], boxes[other]) for one, other in drawn.edges]
    lines += [_drawn(box) for box in boxes.values()]
    return "\n".join([*lines, "</svg>"])


def _placed(drawn: Picture) -> Iterator[_Box]:
    """Column by column; within one, each box near what it comes after, so that few arrows cross."""
    before: dict[str, list[str]] = {}
    for earlier, later in drawn.edges:
        before.setdefault(later, []).append(earlier)
    rows: dict[str, float] = {}
    x = float(_MARGIN)
    for column in _columns(drawn):
        places = {
            node.id: _middle([rows[name] for name in before.get(node.id, ()) if name in rows])
            for node in column
        }
        column.sort(key=lambda node: places[node.id])
        width = max(len(node.label) for node in column) * _CHARACTER + 2 * _PADDING
        for row, node in enumerate(column):
            rows[node.id] = row
            yield _Box(node, x, _MARGIN + row * _ROW, width)
        x += width + _GAP


def _columns(drawn: Picture) -> list[list[Node]]:
    columns: dict[int, list[Node]] = {}
    for node in drawn.nodes:
        columns.setdefault(node.level, []).append(node)
    return [columns[level] for level in sorted(columns)]


def _middle(rows: list[float]) -> float:
    return sum(rows) / len(rows) if rows else 0.0


def _drawn(box: _Box) -> str:
    node, middle = box.node, box.y + _HEIGHT / 2 + 4
    style = node.kind + (" done" if node.done else "")
    return (
        f'<g class="{style}"><title>{escape(f"{node.label} ({node.id})")}</title>'
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{_HEIGHT}"/>'
        f'<text x="{box.x + _PADDING:.1f}" y="{middle:.1f}">{escape(node.label)}</text></g>'
    )


def _arrow(one: _Box, other: _Box) -> str:
    x1, y1 = one.x + one.width, one.y + _HEIGHT / 2
    x2, y2 = other.x, other.y + _HEIGHT / 2
    bend = f"{x1 + _GAP / 2:.1f} {y1:.1f} {x2 - _GAP / 2:.1f} {y2:.1f}"
    return f'<path d="M{x1:.1f} {y1:.1f}C{bend} {x2:.1f} {y2:.1f}"/>'
