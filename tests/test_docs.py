"""The documentation is right: its commands run, its output is what is printed, its links lead somewhere."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from aca.cli.root import program
from aca.providers.replaying.script import load
from tests.forking import forks
from tests.pages import ROOT, Block, Page, constant
from tests.project import SECONDS, Project

GUIDES = [Page("README.md"), *(Page(f"docs/{path.name}") for path in sorted((ROOT / "docs").glob("*.md")))]
PAGES = [*GUIDES, Page("CONTRIBUTING.md"), Page("CHANGELOG.md")]


class Reader:
    """Somebody who follows a page from its top in a directory of their own."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.printed = ""
        self._programs = project.root.parent / "bin"
        self._programs.mkdir()
        shim = self._programs / "aca"
        asking = shlex.join([sys.executable, "-IS", str(ROOT / "tests" / "forked.py"), forks().address])
        shim.write_text(f'#!/bin/sh\nexec {asking} "$@"\n')
        shim.chmod(0o755)
        shutil.copytree(ROOT / "task_examples", project.root / "task_examples")

    def take(self, block: Block) -> None:
        """Write a file, run commands or compare their output, as the notes above the block say."""
        if "file" in block.notes:
            self.project.write({block.notes["file"]: block.text})
        elif block.language == "sh" and not block.notes.keys() & {"not run", "test"}:
            command = block.text if "quickstart" not in block.notes else _after_install(block.text)
            self.run(command, int(block.notes.get("exit", 0)), block.place)
        elif "output" in block.notes:
            assert constant(self.printed) == constant(block.text), block.place

    def run(self, command: str, expect: int, place: str) -> None:
        """Run shell lines; the first that fails ends them."""
        env = self.project.env()
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", command],
            cwd=self.project.root,
            env={**env, "PATH": f"{self._programs}:{env['PATH']}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=2 * SECONDS,
            check=False,
        )
        self.printed = done.stdout.decode()
        assert done.returncode == expect, f"{place}: exit code {done.returncode}\n{self.printed}"


def _after_install(line: str) -> str:
    """The part of the quickstart that needs no package index."""
    return line.rpartition("&&")[2].replace(".venv/bin/", "")


@pytest.fixture
def reader(project: Project) -> Iterator[Reader]:
    yield Reader(project)
    for process in project.processes():
        with contextlib.suppress(psutil.Error):
            process.kill()


@pytest.mark.timeout(900)  # a page has up to two hundred commands
@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_a_reader_who_follows_a_page_gets_what_it_says(reader: Reader, page: Page) -> None:
    """Every command ends with the code that is told, and prints what is shown."""
    for block in page.blocks():
        reader.take(block)
    assert reader.project.processes() == []


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_notes_above_blocks_are_ones_that_are_known(page: Page) -> None:
    """A misspelt note would quietly switch a test off."""
    known = {"file", "exit", "output", "not run", "quickstart", "test"}
    for block in page.blocks():
        assert block.notes.keys() <= known, block.place
        assert "not run" not in block.notes or block.notes["not run"], f"{block.place}: why is it not run?"


@pytest.mark.parametrize("page", [Page("README.md"), Page("docs/reference.md")], ids=lambda page: page.name)
def test_task_files_that_are_shown_can_be_planned(project: Project, page: Page) -> None:
    """Provided that the files they refer to are there."""
    [text] = [block.text for block in page.blocks() if block.language == "markdown"]
    referred = re.findall(r"(?:-> |\]\()([\w/.]+)", text)
    project.write({"shown.md": text, **dict.fromkeys(referred, "Some text.\n")})
    plan = project.run("--task-file", "shown.md", "--dry-run", "--json").json
    assert {ref for task in plan["tasks"] for ref in task.get("file_refs", ())} == set(referred)


def test_the_replay_script_that_is_shown_can_be_read(tmp_path: Path) -> None:
    """Each of its steps is one that there is."""
    [text] = [block.text for block in Page("docs/reference.md").blocks() if block.language == "toml"]
    (tmp_path / "script.toml").write_text(text)
    steps = load(tmp_path / "script.toml").steps("greet", "")
    assert steps is not None
    assert len(steps) == text.count("  {")


def test_few_commands_are_left_out() -> None:
    """Only what needs somebody's login, a package index or a container engine."""
    blocks = [block for page in GUIDES for block in page.blocks() if block.language == "sh"]
    left_out = [block.place for block in blocks if "not run" in block.notes]
    assert len(left_out) <= 5, left_out
    assert len(blocks) > 6 * len(left_out)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Page) -> None:
    """Files are in the repository, anchors are headings."""
    for link in page.links():
        if link.startswith(("https:", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        target = (page.path.parent / file).resolve() if file else page.path
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        if anchor:
            assert anchor in Page(str(target.relative_to(ROOT))).anchors(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_headings_are_unlike_each_other(page: Page) -> None:
    """Two of one name would share an anchor."""
    assert len(set(page.anchors())) == len(page.anchors())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mentioned_commands_exist(page: Page) -> None:
    """Whatever is called ``aca ...``, with these options, is a command that has them."""
    for words in _mentions(page):
        command, options = _resolve(words)
        known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
        assert options <= known | {"-h", "--help"}, words


def _mentions(page: Page) -> Iterator[list[str]]:
    """The words of every ``aca`` call in blocks and in backticks, ``aca`` itself left out."""
    lines = [line for block in page.blocks() if block.language != "text" for line in block.text.splitlines()]
    for line in [*lines, *page.code()]:
        for piece in re.split(r"&&|\|(?![A-Z])|;|  +", line):
            with contextlib.suppress(ValueError):  # a quote that is not closed: no command
                words = shlex.split(piece, comments=True)
                while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                    words = words[1:]
                if words[:1] == ["aca"]:
                    yield words[1:]


def _resolve(words: list[str]) -> tuple[Any, set[str]]:
    """The command that *words* call, and the options among them."""
    command: Any = program()
    for word in words:
        if not hasattr(command, "get_command") or word.startswith("-"):
            break
        command = command.get_command(None, word)
        assert command is not None, words
    return command, {word.partition("=")[0] for word in words if word.startswith("-")}
