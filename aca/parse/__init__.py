"""From the user's files to a plan: every format in, one model out, every problem at once.

read        finds the format and reads it     source      from a path to text
document    what is read, with its places     validate    that, as a plan
toml, json, yaml, rust    data, as it is      explain     what is wrong with it, in plain words
markdown, text, org       items in a text     outline     what these have in common
frontmatter settings above a text             compose     from the items to tasks
attributes  the first line of a task          names       ids, and titles that stand for them
keys        what may be written for what      references  files that are referred to
schemas     of outputs, in files              dump        a plan as text
written     a plan's file, changed
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
