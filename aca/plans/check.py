"""Checks: what decides whether a task is done."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from aca.plans.values import Command, Duration, Model, command_text


def _named_check(value: object) -> object:
    """``"pytest -q"`` is short for ``{run = "pytest -q"}``."""
    return {"run": value} if isinstance(value, str | list | tuple) else value


def _checks(value: object) -> object:
    return [value] if isinstance(value, str | dict) else value


class Check(Model):
    """A command that decides whether a task is done; it runs outside the agent."""

    name: str = ""
    run: Command
    timeout: Annotated[Duration, Field(gt=0)] | None = None

    @property
    def title(self) -> str:
        return self.name or command_text(self.run)


_AnyCheck = str | tuple[str, ...] | Check
_NamedCheck = Annotated[Check, BeforeValidator(_named_check, json_schema_input_type=_AnyCheck)]
Checks = Annotated[
    tuple[_NamedCheck, ...],
    BeforeValidator(_checks, json_schema_input_type=str | Check | tuple[_AnyCheck, ...]),
]
