"""How much of a provider may be used, and when: rates, quota windows, outages; for all aca processes.

``rates``, ``windows``, ``outage``, ``estimate`` and ``headers`` are values and arithmetic; ``book`` makes of
them what is known of one account, a state that is changed by what is asked and told, and ``picture`` shows
it. ``identity`` says which account that is, ``shared`` keeps the books of this user on disk, ``account`` lets
attempts ask, and ``gate`` holds tasks back whose provider cannot be called.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from aca.limits import identity, shared
from aca.limits.account import Keeper
from aca.limits.picture import picture
from aca.plans.plan import REPLAY, Plan
from aca.plans.settings import RateLimiting


def keepers(plan: Plan, providers: Iterable[str], environ: Mapping[str, str]) -> dict[str, Keeper]:
    """The account of each of *providers*, as this process and its environment have it."""
    names = list(providers)
    shelf = shared.SharedFile(shared.path(environ)) if set(names) - {REPLAY} else shared.Private()
    made = {}
    for name in names:
        account = identity.account(name, plan.providers.get(name, {}), environ)
        is_shared = name != REPLAY
        place = shelf if is_shared else shared.Private()
        made[name] = Keeper(name, account, plan.rate_limiting.of(name), place, is_shared=is_shared)
    return made


def look_up(account: str, rates: RateLimiting, environ: Mapping[str, str]) -> dict[str, Any] | None:
    """What is known of *account* now, by whatever aca; None where nothing is. Makes no file."""
    path = shared.path(environ)
    if not path.is_file():
        return None
    book = shared.SharedFile(path).read(account)
    return picture(book, rates, time.time()) if book.provider else None
