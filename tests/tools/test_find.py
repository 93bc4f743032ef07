"""Files and text are found, quickly or not at all."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from aca.tools import find
from aca.tools.base import ToolError
from tests.tools.bench import use, write

TREE: dict[str, str | bytes] = {
    "a.py": "import os\nx = 1\n",
    "src/b.py": "import sys\n",
    "src/deep/c.py": "import os.path\n",
    "src/d.ts": "import os\n",
    "e.bin": b"import os\0",
    ".aca/journal": "import os\n",
}


@pytest.mark.parametrize(
    ("path", "glob", "names"),
    [
        (".", "*", "a.py e.bin src/b.py src/d.ts src/deep/c.py"),
        (".", "*.py", "a.py src/b.py src/deep/c.py"),
        (".", "*.{py,ts}", "a.py src/b.py src/d.ts src/deep/c.py"),
        (".", "src/*.py", "src/b.py"),
        (".", "src/**/*.py", "src/b.py src/deep/c.py"),
        (".", "./**/deep/*", "src/deep/c.py"),
        ("src", "*.p?", "src/b.py src/deep/c.py"),
        ("src", "deep/**", "src/deep/c.py"),
        ("a.py", "*", "a.py"),
        (".", "*.[ch]", ""),
    ],
)
@pytest.mark.parametrize("git", [False, True], ids=["plain", "git"])
def test_files_are_listed(tmp_path: Path, path: str, glob: str, names: str, git: bool) -> None:
    """By name or by path, below a directory, with a repository and without one."""
    root = write(tmp_path, TREE)
    if git:
        subprocess.run(["git", "init", "-q", str(root)], check=True)
    told = use(tmp_path, "list", path=path, glob=glob).text
    assert told.split() == (names.split() or ["(nothing", "was", "found)"])


def test_what_git_ignores_is_left_out(tmp_path: Path) -> None:
    """Where there is a repository, tracked and new files are listed, and nothing else."""
    root = write(tmp_path, {".gitignore": "junk/\n", "junk/a.py": "", "new.py": "", "gone.py": ""})
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    subprocess.run(["git", "-C", str(root), "add", "gone.py"], check=True)
    (root / "gone.py").unlink()
    assert use(tmp_path, "list", glob="*.py").text.split() == ["new.py"]
    assert use(tmp_path, "list", path="junk").text.split() == ["junk/a.py"], "it was asked for by name"


def test_lines_are_found_with_their_places(tmp_path: Path) -> None:
    """Binary files and our own records aside."""
    write(tmp_path, TREE)
    found = use(tmp_path, "search", regex=r"^import os\b").text
    assert found.splitlines() == [
        "a.py:1:import os",
        "src/d.ts:1:import os",
        "src/deep/c.py:1:import os.path",
    ]
    found = use(tmp_path, "search", regex="import", path="src", glob="*.py").text
    assert found.splitlines() == ["src/b.py:1:import sys", "src/deep/c.py:1:import os.path"]
    assert use(tmp_path, "search", regex="x = 1", path="a.py").text == "a.py:2:x = 1\n"
    assert use(tmp_path, "search", regex="nowhere").text == "(nothing was found)"


def test_a_link_out_of_the_workspace_is_not_followed(tmp_path: Path) -> None:
    """Neither by listing nor by searching."""
    root = write(tmp_path, {"a": "here"})
    (tmp_path / "secret").write_text("here too")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    assert use(tmp_path, "list").text.split() == ["a"]
    assert use(tmp_path, "search", regex="here").text == "a:1:here\n"


def test_too_much_is_cut(tmp_path: Path) -> None:
    """The first are told, and that there are more."""
    write(tmp_path, {f"{number:04d}": "same\n" for number in range(find.MOST_FILES + 1)})
    listed = use(tmp_path, "list").text.splitlines()
    assert (len(listed), listed[-1]) == (find.MOST_FILES + 1, "(there is more: narrow it down)")
    found = use(tmp_path, "search", regex="same").text.splitlines()
    assert (len(found), found[-1]) == (find.MOST_LINES + 1, "(there is more: narrow it down)")


def test_a_regex_that_takes_for_ever_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes nobody else's time, and the model hears of it."""
    monkeypatch.setattr(find, "TIMEOUT", 0.5)
    write(tmp_path, {"a": "a" * 60 + "!"})
    began = time.monotonic()
    with pytest.raises(ToolError, match="not done after 500ms: narrow it down"):
        use(tmp_path, "search", regex="(a+)+$")
    assert time.monotonic() - began < 5
    assert list((tmp_path / "logs").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [({"regex": "("}, "not a regular expression"), ({"regex": "a", "path": "none"}, "there is no none")],
)
def test_a_search_that_cannot_be_made_is_told(tmp_path: Path, arguments: dict[str, str], why: str) -> None:
    """Before anything is searched."""
    with pytest.raises(ToolError, match=why):
        use(tmp_path, "search", **arguments)
