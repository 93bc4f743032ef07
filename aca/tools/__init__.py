"""What a model may do in a place, the same for every model, and the list of it all.

base     what every tool is                   command     run one
read     files                                find        files, and text in them, with scan, its own program
files    written and edited                   handing_in  results, tasks, notes
"""

from __future__ import annotations

from aca.plans.settings import Permissions
from aca.tools.base import Tool
from aca.tools.command import Run
from aca.tools.files import Edit, Edits, Write
from aca.tools.find import List, Search
from aca.tools.handing_in import AddTasks, Finish, Note, ProposeTask
from aca.tools.read import Read

KINDS: dict[str, type[Tool]] = {
    "read": Read,
    "list": List,
    "search": Search,
    "write": Write,
    "edit": Edit,
    "edits": Edits,
    "run": Run,
    "add_tasks": AddTasks,
    "propose_task": ProposeTask,
    "note": Note,
    "finish": Finish,
}


def offered(permissions: Permissions) -> dict[str, type[Tool]]:
    """The tools that a task with these permissions may use."""
    return {name: kind for name, kind in KINDS.items() if not (kind.writes and permissions == "read-only")}
