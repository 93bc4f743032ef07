"""From the user's files to a plan: every format in, one model out, every problem at once.

read             a task file or plan, as a Document; read_as the same of a text
read_settings    ``aca.toml``, as a Document
validate         plan-shaped data, as a Plan
dump_text        a Plan, as JSON or TOML
imply_mode, share_checks    what settings say about each other, once all of them are merged
relative         a path as plans write it
"""

from aca.parse.document import Document, Loc, Mark, Prose, Written
from aca.parse.dump import dump_text
from aca.parse.keys import imply_mode, share_checks
from aca.parse.read import read, read_as, read_settings
from aca.parse.references import relative
from aca.parse.validate import validate

__all__ = [
    "Document",
    "Loc",
    "Mark",
    "Prose",
    "Written",
    "dump_text",
    "imply_mode",
    "read",
    "read_as",
    "read_settings",
    "relative",
    "share_checks",
    "validate",
]
