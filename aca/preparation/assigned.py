"""Which provider does which agent task, and what keeps it from that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache, partial
from pathlib import Path

from pydantic import ValidationError

from aca import providers
from aca.errors import Problem
from aca.parse import Loc
from aca.parse.explain import explain
from aca.plans.faults import Fault
from aca.plans.plan import Plan, Profile
from aca.plans.task import Task
from aca.preparation.config import Merged
from aca.providers import choice as choice_of_provider
from aca.providers.base import Errand


def _agents(plan: Plan) -> Iterator[tuple[Profile, Mapping[int, Task]]]:
    """What an agent is still to do, or may have to when it fails, by what that gets."""
    groups = plan.groups
    for some in plan.alike:
        is_to_mend, tasks = some.one.on_failure == "decompose", some.tasks
        if groups and not is_to_mend:
            tasks = {place: task for place, task in tasks.items() if task.id not in groups}
        if tasks and some.one.status == "pending" and (some.one.kind == "agent" or is_to_mend):
            yield some.gets, tasks


def without_provider(plan: Plan) -> list[Task]:
    """The agent tasks still to be done for which nothing says who does them."""
    if plan.defaults.provider is not None:
        return []
    return [task for gets, tasks in _agents(plan) if gets.provider is None for task in tasks.values()]


def used_providers(plan: Plan) -> dict[str, list[Errand]]:
    """Provider name -> what it may have to do, tasks that get the same together."""
    used: dict[str, list[Errand]] = {}
    for gets, tasks in _agents(plan):
        for name, model in _ways(gets):
            errand = Errand(model, gets.permissions, gets.docker is not None, tasks)
            used.setdefault(name, []).append(errand)
    return used


def _ways(gets: Profile) -> Iterator[tuple[str, str | None]]:
    """(provider, model) of all that may do a task, those it falls back to included."""
    if gets.provider is not None:
        yield gets.provider, gets.model
        for entry in gets.fallback:
            name, _, model = entry.partition(":")
            yield name, model or None


# -- what is wrong ------------------------------------------------------------------------------------


def faults(plan: Plan) -> Iterator[Fault]:
    """What is wrong with what a plan says of providers, on whatever machine."""
    known, mentioned = providers.names(plan.providers), set[str]()
    for loc, name in _mentions(plan):
        mentioned.add(name)
        if name not in known:
            yield _unknown(loc, name, known)
    used = cache(partial(used_providers, plan))  # it takes a while, and few ask
    for name in filter(mentioned.__contains__, known):
        yield from _cannot_be_told(plan, name, used)


def _unknown(loc: Loc, name: str, known: Collection[str]) -> Fault:
    told = providers.unknown(name, known)
    is_section = loc == ("providers", name) and told.cure.startswith("use one of")
    declare = ", or declare an agent CLI of the kind cli" if is_section else ""
    return Fault(loc, told.message, told.cure + declare, name)


def _cannot_be_told(plan: Plan, name: str, used: Callable[[], Mapping[str, list[Errand]]]) -> Iterator[Fault]:
    """Options of the provider *name* that are wrong, and what of the plan it has no way to do.

    Where a plan says nothing of it, what it needs to be told may still come: a run looks at that.
    """
    given = plan.providers.get(name, {})
    try:
        for told in providers.faults(name, given, lambda: used().get(name, [])):
            yield Fault(_place(plan, name), told.message, told.cure, name)
    except ValidationError as error:
        if name in plan.providers:
            yield from _wrong_options(plan, name, error)


def _wrong_options(plan: Plan, name: str, error: ValidationError) -> Iterator[Fault]:
    given = plan.providers.get(name)
    for one in explain(error, providers.model(name, given or {}), given or {}, {}):
        message = f"providers.{name}: {one.message.removeprefix(': ')}"
        if given is None:
            yield Fault(_place(plan, name), message, one.cure, name)
        else:
            yield Fault(("providers", name, *one.loc), message, one.cure, one.word)


def problems(plan: Plan, settings: Merged, workspace: Path, *, ask: bool = True) -> list[Problem]:
    """What keeps the providers of a plan from doing it here, found out without calling a model.

    Servers are asked for what they have only where that is to be: see ``providers.problems``.
    """
    found = [settings.problem(one.loc, one.message, one.cure, one.word) for one in faults(plan)]
    if found:
        return found
    if without_provider(plan):
        found.append(choice_of_provider.none_here())
    for name, errands in used_providers(plan).items():
        try:
            for told in providers.problems(name, plan.providers.get(name, {}), errands, workspace, ask=ask):
                at = _place(plan, name)
                found.append(told if told.path else settings.problem(at, told.message, told.cure, name))
        except ValidationError as error:
            wrong = _wrong_options(plan, name, error)
            found += [settings.problem(one.loc, one.message, one.cure, one.word) for one in wrong]
    return found


def _place(plan: Plan, provider: str) -> Loc:
    """Where it is mentioned first."""
    return next(loc for loc, name in _mentions(plan) if name == provider)


def _mentions(plan: Plan) -> Iterator[tuple[Loc, str]]:
    """Every name of a provider that still matters to the plan, and where it stands."""
    yield from _named(("defaults",), plan.defaults.provider, plan.defaults.fallback)
    for name, role in plan.roles.items():
        yield from _named(("roles", name), role.provider, role.fallback)
    naming: dict[int, Task] = {}
    for some in plan.alike:
        if some.one.status == "pending" and (some.one.provider is not None or some.one.fallback):
            naming.update(some.tasks)
    for index, task in sorted(naming.items()):
        yield from _named(("tasks", index), task.provider, task.fallback)
    for name in plan.rate_limiting.providers:
        yield ("rate_limiting", "providers", name), name
    for name in plan.providers:
        yield ("providers", name), name


def _named(at: Loc, provider: str | None, fallback: tuple[str, ...]) -> Iterator[tuple[Loc, str]]:
    if provider is not None:
        yield (*at, "provider"), provider
    for number, entry in enumerate(fallback):
        yield (*at, "fallback", number), entry.partition(":")[0]
