"""Plans of the Rust ``aca`` (``task_specs`` and ``setup_commands``), read into our model.

What has no place in our model is kept as a line of the description.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError

from aca.errors import InputError
from aca.parse import names
from aca.parse.document import Document, Loc
from aca.parse.explain import explain
from aca.plans.values import format_duration

_COMPLEXITY = {"Trivial": 1, "Simple": 3, "Moderate": 5, "Complex": 8, "Epic": 10}
_MOST_RETRIES = 100
"""Retries beyond this are as good as endless, and our model has no more."""


def _seconds(value: object) -> object:
    """``[secs, nanos]``."""
    match value:
        case [int(seconds), int(nanos)]:
            return seconds + nanos / 1_000_000_000
    return value


_Duration = Annotated[float, BeforeValidator(_seconds), Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Condition(_Part):
    check_stdout: bool = False
    check_stderr: bool = True
    contains: str | None = None
    not_contains: str | None = None
    exit_code_range: tuple[int, int] | None = None


class _Retry(_Part):
    max_attempts: int = Field(ge=0)
    delay: _Duration


class _Backup(_Part):
    condition: _Condition = _Condition()
    backup_command: str
    backup_args: tuple[str, ...] = ()


class _Strategies(_Part):
    retry: _Retry | None = Field(default=None, alias="Retry")
    backup: _Backup | None = Field(default=None, alias="Backup")


class _Remedy(_Part):
    name: str = ""
    strategy: Literal["Skip"] | _Strategies


class _Setup(_Part):
    id: str = ""
    name: str
    command: str
    args: tuple[str, ...] = ()
    working_dir: str | None = None
    timeout: _Duration | None = None
    required: bool = True
    error_handler: _Remedy | None = None


class _Repository(_Part):
    name: str
    url: str = ""
    branch: str | None = None
    commit: str | None = None


class _File(_Part):
    path: str
    repository: str = ""
    line_range: tuple[int, int] | None = None
    importance: str = ""


class _Needed(_Part):
    required_files: tuple[str, ...] = ()
    required_repositories: tuple[str, ...] = ()
    build_dependencies: tuple[str, ...] = ()
    environment_vars: dict[str, str] = Field(default_factory=dict)
    claude_context_keys: tuple[str, ...] = ()


class _TaskMetadata(_Part):
    priority: Literal["Critical", "High", "Normal", "Low", "Background"] = "Normal"
    estimated_complexity: Literal["Trivial", "Simple", "Moderate", "Complex", "Epic"] | None = None
    estimated_duration: _Duration | None = None
    repository_refs: tuple[_Repository | str, ...] = ()
    file_refs: tuple[_File | str, ...] = ()
    tags: tuple[str, ...] = ()
    context_requirements: _Needed = _Needed()


class _Spec(_Part):
    id: str = ""
    title: str = Field(min_length=1)
    description: str = ""
    dependencies: tuple[str | int, ...] = ()
    metadata: _TaskMetadata = _TaskMetadata()


class _Parallel(_Part):
    max_concurrent: int | None = None


class _ParallelMode(_Part):
    parallel: _Parallel = Field(alias="Parallel")


class _PlanMetadata(_Part):
    name: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    estimated_duration: _Duration | None = None
    custom_metadata: dict[str, JsonValue] = Field(default_factory=dict)


class _Plan(_Part):
    setup_commands: tuple[_Setup, ...] = ()
    task_specs: tuple[_Spec, ...] = ()
    execution_mode: Literal["Sequential", "Intelligent", "Parallel"] | _ParallelMode = "Sequential"
    metadata: _PlanMetadata = _PlanMetadata()


def convert(document: Document) -> None:
    """Replace the document's data by what it means in our model. Raises InputError."""
    try:
        plan = _Plan.model_validate(document.data)
    except ValidationError as error:
        for one in explain(error, _Plan, document.data, {}):
            document.note(one.loc, one.message, one.cure, one.word)
        raise InputError(document.problems) from None
    setups = [_setup_task(setup) for setup in plan.setup_commands]
    specs = [_spec_task(spec) for spec in plan.task_specs]
    names.give_ids([*setups, *specs], lambda _: "setup")
    for earlier, later in itertools.pairwise(setups):
        later["dependencies"] = [earlier["id"]]
    for task, spec in zip(specs, plan.task_specs, strict=True):
        last = [setups[-1]["id"]] if setups else []
        task["dependencies"] = [*_needs(spec, plan, [*setups, *specs]), *last]
    tasks = [
        {key: value for key, value in task.items() if value not in ("", [], {}, None)}
        for task in [*setups, *specs]
    ]
    document.data = {**_settings(plan), "tasks": tasks}


def locator(setups: object) -> Any:
    """A function from a place in a Rust plan to the place of the same thing in ours."""
    shift = len(setups) if isinstance(setups, list) else 0

    def canonical(loc: Loc) -> Loc:
        match loc:
            case ("setup_commands", int(index), *rest):
                return ("tasks", index, *_SETUP_KEYS.get(tuple(rest), rest))
            case ("task_specs", int(index), *rest):
                return ("tasks", index + shift, *_spec_place(rest))
            case ("metadata", *rest):
                return tuple(rest)
        return loc

    return canonical


_SETUP_KEYS: dict[Loc, Loc] = {("name",): ("title",), ("working_dir",): ("cwd",)}
_FILES: Loc = ("metadata", "context_requirements", "required_files")


def _spec_place(rest: Sequence[str | int]) -> Loc:
    if tuple(rest[:3]) == _FILES:
        return ("file_refs", *rest[3:])
    return tuple(rest[1:] if rest[:1] == ["metadata"] else rest)


def _settings(plan: _Plan) -> dict[str, Any]:
    about = plan.metadata
    notes = [_line("Tags", about.tags), _duration_line(about.estimated_duration)]
    notes += [f"{key}: {value}" for key, value in about.custom_metadata.items()]
    data: dict[str, Any] = {"description": _joined([about.description or "", *notes])}
    if about.name:
        data["name"] = about.name
    if isinstance(plan.execution_mode, _ParallelMode):
        number = plan.execution_mode.parallel.max_concurrent
        data |= {"execution_mode": "parallel"} | ({} if number is None else {"max_concurrent_tasks": number})
    else:
        data["execution_mode"] = plan.execution_mode.lower()
    return data


def _setup_task(setup: _Setup) -> dict[str, Any]:
    task = {
        "title": setup.name or setup.command,
        "kind": "command",
        "command": [setup.command, *setup.args],
        "cwd": setup.working_dir,
        "timeout": setup.timeout,
    }
    if not setup.required:
        task["on_failure"] = "skip"
    return task | (_handling(setup.error_handler.strategy) if setup.error_handler else {})


def _handling(strategy: Literal["Skip"] | _Strategies) -> dict[str, Any]:
    if isinstance(strategy, str):
        return {"on_failure": "skip"}
    found: dict[str, Any] = {}
    if strategy.retry:
        found |= {
            "retries": min(strategy.retry.max_attempts, _MOST_RETRIES),
            "retry_delay": strategy.retry.delay,
        }
    if strategy.backup:
        found["backup"] = [strategy.backup.backup_command, *strategy.backup.backup_args]
        found["description"] = _narrowed(strategy.backup.condition)
    return found


def _narrowed(condition: _Condition) -> str:
    """Our backup runs after any failure; what would have narrowed that is told."""
    where = "stdout" if condition.check_stdout else "stderr"
    terms = [
        f'{where} contains "{condition.contains}"' if condition.contains is not None else "",
        f'{where} does not contain "{condition.not_contains}"' if condition.not_contains is not None else "",
        "the exit code is {} to {}".format(*condition.exit_code_range) if condition.exit_code_range else "",
    ]
    told = " and ".join(filter(None, terms))
    return f"The backup was meant for when {told}; it runs after any failure." if told else ""


def _spec_task(spec: _Spec) -> dict[str, Any]:
    about, needed = spec.metadata, spec.metadata.context_requirements
    repositories = [one if isinstance(one, str) else one.url or one.name for one in about.repository_refs]
    files = [one if isinstance(one, str) else one.path for one in about.file_refs]
    return {
        "title": spec.title,
        "description": _joined([spec.description, *_leftovers(spec)]),
        "priority": about.priority.lower(),
        "estimated_complexity": _COMPLEXITY.get(about.estimated_complexity or ""),
        "repository_refs": [*repositories, *needed.required_repositories],
        "file_refs": list(dict.fromkeys([*needed.required_files, *files])),
        "tags": list(about.tags),
        "env": needed.environment_vars,
    }


def _leftovers(spec: _Spec) -> Iterator[str]:
    about, needed = spec.metadata, spec.metadata.context_requirements
    yield _duration_line(about.estimated_duration)
    yield _line("Build dependencies", needed.build_dependencies)
    yield _line("Context keys", needed.claude_context_keys)
    for repository in about.repository_refs:
        if not isinstance(repository, str):
            yield _line(
                f"Repository {repository.name}",
                _told(url=repository.url, branch=repository.branch, commit=repository.commit),
            )
    for file in about.file_refs:
        if not isinstance(file, str):
            lines = "-".join(map(str, file.line_range or ()))
            yield _line(
                f"File {file.path}",
                _told(repository=file.repository, lines=lines, importance=file.importance),
            )


def _told(**values: str | None) -> tuple[str, ...]:
    return tuple(f"{key} {value}" for key, value in values.items() if value)


def _line(name: str, values: Sequence[str]) -> str:
    return f"{name}: {', '.join(values)}" if values else ""


def _duration_line(seconds: float | None) -> str:
    return f"Estimated duration: {format_duration(seconds)}" if seconds else ""


def _joined(parts: Sequence[str]) -> str:
    text, *notes = parts
    told = "\n".join(filter(None, notes))
    return "\n\n".join(filter(None, (text, told)))


def _needs(spec: _Spec, plan: _Plan, tasks: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Ids of ours for indices, titles, and the ids the Rust ``aca`` makes of titles."""
    shift = len(plan.setup_commands)
    known = {one.id: tasks[index]["id"] for index, one in enumerate(plan.setup_commands)}
    for index, one in enumerate(plan.task_specs):
        known |= dict.fromkeys((one.id, made_id(one.title)), tasks[shift + index]["id"])
    for need in spec.dependencies:
        if isinstance(need, int) and 0 <= need < len(plan.task_specs):
            yield str(tasks[shift + need]["id"])
        else:
            yield str(known.get(str(need), need))


def made_id(title: str) -> str:
    """The id under which the Rust ``aca`` lets tasks of its planner depend on the one with *title*."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"llm-task-{title}"))
