"""A plan as a drawing: ``render(plan, format, limit)``.

picture  what it shows, however it is drawn   dot, mermaid, svg, text   a file per format
"""

from __future__ import annotations

from collections.abc import Callable

from aca.plans.plan import Plan
from aca.report.drawing.dot import dot
from aca.report.drawing.mermaid import mermaid
from aca.report.drawing.picture import Picture, picture
from aca.report.drawing.svg import svg
from aca.report.drawing.text import text

FORMATS: dict[str, Callable[[Picture], str]] = {"mermaid": mermaid, "dot": dot, "svg": svg, "text": text}

__all__ = ["FORMATS", "render"]


def render(plan: Plan, spelling: str, limit: int | None) -> str:
    """*plan* in one of FORMATS. With more tasks than *limit* it shows groups, or levels, in their place."""
    return FORMATS[spelling](picture(plan, limit))
