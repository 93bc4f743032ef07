"""Handing something in: the result, tasks that should be done first, notes for others."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from aca.plans.values import Model
from aca.tools.base import Bench, Tool, ToolResult


class NewTask(Model):
    """A task as an agent may hand it in; rights, provider and model are those of its own task."""

    title: str = Field(min_length=1)
    description: str = ""
    dependencies: tuple[str, ...] = ()


class Finish(Tool):
    """Say that the task is done, or that it cannot be done. Nothing is read from you after this."""

    name: ClassVar[str] = "finish"

    result: str = Field(min_length=1)
    """What was done and what whoever comes next must know, in a few sentences; or why it cannot be done."""
    done: bool = True
    """False when the task is not done."""

    async def use(self, bench: Bench) -> ToolResult:
        return ToolResult(self.result, error="" if self.done else "not done", final=True)


class AddTasks(Tool):
    """Split your task: hand in smaller tasks that other agents will do after you, each knowing only its own
    text and what your task says. Use it when the task is too much for one go; do not do these tasks yourself,
    and finish."""

    name: ClassVar[str] = "add_tasks"

    tasks: tuple[NewTask, ...] = Field(min_length=1)
    """Each with a title, a description that says all there is to know, and the titles of those tasks among
    them (dependencies) that must be done before it."""

    @property
    def detail(self) -> str:
        return ", ".join(task.title for task in self.tasks)

    async def use(self, bench: Bench) -> ToolResult:
        subtasks = tuple(task.model_dump(mode="json", exclude_defaults=True) for task in self.tasks)
        return ToolResult(f"taken: {len(subtasks)} to be done after you finish", subtasks=subtasks)


class ProposeTask(Tool):
    """Propose work that you found and that is no part of your task, such as a bug elsewhere. A person decides
    whether it is done; do not do it yourself, and go on with your task."""

    name: ClassVar[str] = "propose_task"

    title: str = Field(min_length=1)
    text: str = ""
    """All there is to know for whoever does it."""

    @property
    def detail(self) -> str:
        return self.title

    async def use(self, bench: Bench) -> ToolResult:
        proposal = {"title": self.title, "description": self.text}
        return ToolResult("proposed: a person will decide", proposal=proposal)


class Note(Tool):
    """Leave a note for those who work on other tasks after you: something you found out that they could not
    easily see for themselves. Keep it to a few sentences."""

    name: ClassVar[str] = "note"

    text: str = Field(min_length=1, max_length=2000)

    @property
    def detail(self) -> str:
        return self.text

    async def use(self, bench: Bench) -> ToolResult:
        return ToolResult("noted", note=self.text)
