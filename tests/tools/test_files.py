"""Files are read in ranges, written and edited exactly, and nowhere but in the workspace."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

import pytest

from aca.core.events import FileChange
from aca.safety.place import OutsideWorkspaceError
from aca.tools import read
from aca.tools.base import BROKEN, ToolError, reason
from tests.tools.bench import use, write

# -- reading ----------------------------------------------------------------------------------------------


def test_a_file_is_read_with_line_numbers(tmp_path: Path) -> None:
    """From any line on, and only so many; what is left is told."""
    write(tmp_path, {"a": "one\ntwo\r\nthree"})
    assert use(tmp_path, "read", path="a").text == "     1\tone\n     2\ttwo\n     3\tthree\n"
    part = use(tmp_path, "read", path="a", first=2, count=1).text
    assert part == "     2\ttwo\n(there is more: read on with first = 3)\n"


def test_every_line_of_a_long_file_can_be_read(tmp_path: Path) -> None:
    """Reading on where it says misses nothing and repeats nothing."""
    lines = [f"line {number} {'x' * 90}" for number in range(1, 3001)]
    write(tmp_path, {"a": "\n".join(lines)})
    seen: list[str] = []
    first = 1
    while first:
        text = use(tmp_path, "read", path="a", first=first, count=5000).text
        assert len(text) < read.MAX_CHARS + 100
        *shown, last = text.splitlines()
        more = last.startswith("(there is more")
        seen += [line.partition("\t")[2] for line in (shown if more else [*shown, last])]
        first = int(last.rpartition(" ")[2].rstrip(")")) if more else 0
    assert seen == lines


def test_what_cannot_be_shown_whole_says_so(tmp_path: Path) -> None:
    """A long line, an empty file, a line that is not there."""
    write(tmp_path, {"long": "x" * 5000, "empty": "", "one": "1\n", "latin": b"caf\xe9\n"})
    assert use(tmp_path, "read", path="long").text.endswith("xxx… (5000 characters in all)\n")
    assert use(tmp_path, "read", path="empty").text == "(an empty file)"
    assert use(tmp_path, "read", path="one", first=9).text == "(it has no line 9)"
    assert use(tmp_path, "read", path="latin").text == "     1\tcaf\ufffd\n"


def test_what_is_no_text_is_not_read(tmp_path: Path) -> None:
    """Binary files, giants, and what would be waited on for ever."""
    root = write(tmp_path, {"binary": b"a\0b"})
    os.mkfifo(root / "pipe")
    with (root / "giant").open("wb") as file:
        file.truncate(read.MAX_BYTES + 1)
    for name, why in {"binary": "binary", "pipe": "not a regular file", "giant": "too many"}.items():
        with pytest.raises(ToolError, match=why):
            use(tmp_path, "read", path=name)
    for name, told in {"none": "No such file or directory", ".": "Is a directory"}.items():
        with pytest.raises(OSError, match=told) as caught:
            use(tmp_path, "read", path=name)
        assert reason(caught.value) == told


# -- writing ----------------------------------------------------------------------------------------------


def test_a_file_is_written_with_its_directories(tmp_path: Path) -> None:
    """It says whether the file is new."""
    made = use(tmp_path, "write", path="a/b.txt", content="ü\r\n")
    assert made.changes == (FileChange("a/b.txt", "created"),)
    assert (tmp_path / "work" / "a" / "b.txt").read_bytes() == "ü\r\n".encode()
    assert use(tmp_path, "write", path="a/b.txt", content="").changes[0].action == "modified"


@pytest.mark.parametrize(
    "name", [".git/hooks/pre-commit", ".aca/x", "sub/.GIT/config", "link/config", ".git"]
)
def test_history_and_records_are_left_alone(tmp_path: Path, name: str) -> None:
    """Nothing is written to .git or .aca, at any depth, by any spelling."""
    root = write(tmp_path, {".git/config": "old", ".aca/y": "old", "sub/a": "a"})
    (root / "link").symlink_to(root / ".git")
    for arguments in ({"content": "new"}, {"old": "old", "new": "new"}):
        with pytest.raises(BROKEN, match=r"which tools leave alone|aca's own"):
            use(tmp_path, "write" if "content" in arguments else "edit", path=name, **arguments)
    assert (root / ".git" / "config").read_text() == "old"


def test_git_ignore_files_are_ordinary(tmp_path: Path) -> None:
    """Only the directories themselves are protected."""
    for name in (".gitignore", ".github/workflows/ci.yml", "a.git"):
        assert use(tmp_path, "write", path=name, content="x").changes[0].action == "created"


# -- editing ----------------------------------------------------------------------------------------------


def test_an_exact_text_is_replaced(tmp_path: Path) -> None:
    """All else stays as it is, to the byte."""
    root = write(tmp_path, {"a": b"one\ntwo\n\xff\n"})
    assert use(tmp_path, "edit", path="a", old="two", new="2").changes == (FileChange("a", "modified"),)
    assert (root / "a").read_bytes() == b"one\n2\n\xff\n"


@pytest.mark.parametrize(("old", "why"), [("x", "2 times, not once"), ("z", "is not in the file")])
def test_a_text_that_is_not_there_once_is_not_replaced(tmp_path: Path, old: str, why: str) -> None:
    """Neither guessed at nor replaced everywhere."""
    root = write(tmp_path, {"a": "x y x"})
    with pytest.raises(ToolError, match=why):
        use(tmp_path, "edit", path="a", old=old, new="new")
    assert (root / "a").read_text() == "x y x"


def test_carriage_returns_are_kept(tmp_path: Path) -> None:
    """A file of another system is edited as it was shown, and stays what it is."""
    root = write(tmp_path, {"a": b"one\r\ntwo\r\nthree\r\n"})
    use(tmp_path, "edit", path="a", old="one\ntwo\n", new="1\n2\n")
    assert (root / "a").read_bytes() == b"1\r\n2\r\nthree\r\n"


def test_several_edits_build_on_each_other(tmp_path: Path) -> None:
    """In one file and in others; each file is told once."""
    root = write(tmp_path, {"a": "one", "b": "x"})
    edits = [("a", "one", "two"), ("b", "x", "y"), ("a", "two", "three")]
    given = [{"path": path, "old": old, "new": new} for path, old, new in edits]
    done = use(tmp_path, "edits", edits=given)
    assert [change.path for change in done.changes] == ["a", "b"]
    assert ((root / "a").read_text(), (root / "b").read_text()) == ("three", "y")


def test_of_several_edits_all_are_made_or_none(tmp_path: Path) -> None:
    """One that does not fit: nothing has changed, and it is named."""
    root = write(tmp_path, {"a": "one", "b": "x"})
    edits = [{"path": "a", "old": "one", "new": "two"}, {"path": "b", "old": "z", "new": "y"}]
    with pytest.raises(ToolError, match="edit 2, b: the text to replace is not in the file"):
        use(tmp_path, "edits", edits=edits)
    assert (root / "a").read_text() == "one"


def test_a_file_that_cannot_be_written_takes_the_others_back(tmp_path: Path) -> None:
    """All of them are as they were."""
    root = write(tmp_path, {"a": "one", "b": "x"})
    edits = [{"path": "a", "old": "one", "new": "two"}, {"path": "b", "old": "x", "new": "y" * 100_000}]
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, usual[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            use(tmp_path, "edits", edits=edits)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert ((root / "a").read_text(), (root / "b").read_text()) == ("one", "x")


# -- inside -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "out/x", "out", "a\0b"])
@pytest.mark.parametrize("name", ["read", "write", "edit", "edits", "list", "search"])
def test_no_path_leads_outside(tmp_path: Path, name: str, path: str) -> None:
    """By dots, whole paths or links; also to what is not there yet."""
    root = write(tmp_path, {"a/b": "b"})
    (tmp_path / "x").write_text("old")
    (root / "out").symlink_to(tmp_path)
    more: dict[str, dict[str, Any]] = {
        "write": {"content": "new"},
        "edit": {"old": "old", "new": "new"},
        "edits": {"edits": [{"path": path, "old": "old", "new": "new"}]},
        "search": {"regex": "old"},
    }
    given = more.get(name, {}) if name == "edits" else {"path": path, **more.get(name, {})}
    with pytest.raises(OutsideWorkspaceError):
        use(tmp_path, name, **given)
    assert (tmp_path / "x").read_text() == "old"
