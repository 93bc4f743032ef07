"""``aca status``: how a session stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aca.cli.finding import SessionArgument, find_session
from aca.cli.options import Json, Place, takes
from aca.cli.screen import Screen

if TYPE_CHECKING:
    from aca.session import Session

OTHERS = 5
"""How many other sessions are listed below the newest."""


@takes(Place, Json)
def status(
    place: Place,
    json: Json,
    name: SessionArgument = None,
    everything: Annotated[bool, typer.Option("--all", help="Every task, however many there are.")] = False,
    sessions: Annotated[bool, typer.Option("--sessions", help="Only list the sessions.")] = False,
) -> int:
    """Show progress, what waits and why, and what was used."""
    from aca import session

    screen = Screen()
    found = session.listing(place.workspace)
    if not found and name is None:
        screen.document({"session": None}) if json.json else screen.result("no session yet")
        return 0
    if sessions:
        return _list(found, screen, json.json)
    one = find_session(place.workspace, name)
    if json.json:
        screen.document(_document(one))
    else:
        screen.results(_told(one, screen, everything))
        others = [other for other in found if other.id != one.id]
        screen.results(_others(others)) if others and name is None else None
    return 0
