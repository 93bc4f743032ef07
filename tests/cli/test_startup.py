"""The first impression: help, version, and what is said to a word aca does not know."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from aca.cli.variables import misspelt
from tests.project import Project

REFERENCE = Path(__file__).parents[2] / "docs" / "reference.md"
HEAVY = ["anthropic", "openai", "docker", "networkx", "rich", "yaml", "tomlkit", "markdown_it", "psutil"]
HEAVY += ["asyncio", "msgspec", "pydantic"]
OURS = ["aca.app", "aca.providers", "aca.cli.run", "aca.cli.status", "aca.cli.doctor"]


def loaded(project: Project, *args: str, of: Sequence[str] = HEAVY) -> str:
    """Which modules *of* these are imported after ``aca ARGS``, as the list is written."""
    code = f"import sys\nfrom aca.cli import main\nmain({[*args]!r})\n"
    code += f"print([name for name in {[*of]!r} if name in sys.modules])"
    argv = [sys.executable, "-c", code]
    env = project.env()
    done = subprocess.run(argv, cwd=project.root, env=env, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(project: Project, option: str) -> None:
    """What answers in no time loads neither an SDK nor a validator."""
    assert loaded(project, option) == "[]"


def test_a_start_hardly_looks_for_garbage(project: Project) -> None:
    """Nearly all that is made then stays; to look through it again and again costs much of a short run."""
    code = "import atexit, gc, sys\nfrom aca.cli import run_main\nsys.argv = ['aca', 'status']\n"
    code += "atexit.register(lambda: print(gc.get_stats()[0]['collections']))\nrun_main()"
    argv = [sys.executable, "-c", code]
    done = subprocess.run(
        argv, cwd=project.root, env=project.env(), capture_output=True, text=True, check=True
    )
    assert int(done.stdout.splitlines()[-1]) < 40


def test_help_of_a_command_imports_what_typer_needs_at_most(project: Project) -> None:
    """Typer loads pydantic as soon as anything is invoked; aca adds nothing to that."""
    assert loaded(project, "resume", "--help") in ("[]", "['pydantic']")


def test_status_loads_nothing_that_carries_a_plan_out(project: Project) -> None:
    """Nor any other command: to look at sessions takes values, and what reads them."""
    kept = "['msgspec', 'pydantic', 'aca.cli.status']"
    assert loaded(project, "status", of=[*HEAVY, *OURS]) == kept


def test_a_run_of_commands_loads_no_agent_and_no_other_format(project: Project) -> None:
    """A plan in JSON needs neither Markdown nor TOML, and commands no provider's package; Linux no psutil."""
    project.write(
        {"plan.json": '{"tasks": [{"id": "one", "title": "One", "kind": "command", "command": "true"}]}'}
    )
    assert loaded(project, "run", "plan.json", "-q") == "['asyncio', 'msgspec', 'pydantic']"


def test_help_lists_commands_options_and_exit_codes(project: Project) -> None:
    """One page has all of it."""
    told = project.run("--help").stdout
    for word in ("resume", "checkpoint", "doctor", "--task-file", "--jobs", "75   a provider's quota window"):
        assert word in told


def test_aca_alone_prints_help(project: Project) -> None:
    """It is no error not to know what to type."""
    assert project.run().stdout == project.run("--help").stdout


def test_the_version_is_the_package_s(project: Project) -> None:
    """``aca --version`` names program and version."""
    from aca import __version__

    assert project.run("--version").stdout == f"aca {__version__}\n"


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("rsume", 'there is no command "rsume"; did you mean "resume"?'),
        ("tasks.md", 'there is no command "tasks.md"; did you mean: aca run tasks.md'),
        ("xyzzy", 'there is no command "xyzzy"'),
        ("plan vali", 'there is no command "vali"; did you mean "validate"?'),
        ("plan tasks.md", 'there is no command "tasks.md"; did you mean: aca plan show tasks.md'),
        ("checkpoint bogus", 'there is no command "bogus"'),
    ],
)
def test_an_unknown_word_gets_the_nearest_command(project: Project, word: str, told: str) -> None:
    """A file that exists is taken for what it most likely is."""
    project.write({"tasks.md": "- [ ] One\n"})
    outcome = project.run(*word.split(), expect=2)
    assert outcome.stderr.splitlines()[0] == f"aca: {told}"
    assert outcome.stdout == ""


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--task-fil", "x"], 'aca: No such option: --task-fil; did you mean "--task-file"?'),
        (["run"], "aca: Missing argument 'FILE'."),
        (["status", "one", "two"], "aca: Got unexpected extra argument(s) (two)"),
        (
            ["-j", "3", "status"],
            'aca: --jobs stands before the command "status", which does not see it there',
        ),
        (["--dry-run"], "aca: there is nothing to run: name a file with --task-file or --execution-plan"),
        (
            ["--task-file", "a", "--execution-plan", "b"],
            "aca: --task-file and --execution-plan are one too many",
        ),
        (
            ["--task-file", "a", "--json", "--jsonl"],
            "aca: Invalid value: --json and --jsonl exclude each other",
        ),
        (["run", "a", "-j", "x"], "aca: Invalid value for '-j' / '--jobs': this should be a whole number"),
        (["run", "a", "--retries", "-1"], "aca: Invalid value for '--retries': this should be at least 0"),
        (["--task-file", "a", "-q", "-v"], "aca: Invalid value: --quiet and --verbose exclude each other"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_usage_error_has_a_one_line_cause(project: Project, args: list[str], told: str) -> None:
    """The cause on one line, where to read more on the next, exit code 2."""
    lines = project.run(*args, expect=2).stderr.splitlines()
    assert lines[0].startswith(told)
    assert lines[1:] in ([], [lines[-1]])


def test_a_variable_that_is_nearly_one_of_aca_s_is_named(project: Project) -> None:
    """With the one that was meant; those of other programs, and of aca itself, are let be."""
    reference = set(re.findall(r"`(ACA_[A-Z_]+)`", REFERENCE.read_text(encoding="utf-8")))
    assert len(reference) > 80
    assert list(misspelt(dict.fromkeys(reference, ""))) == []
    slips = {
        "ACA_JBOS": "ACA_JOBS",
        "ACA_RETRYS": "ACA_RETRIES",
        "ACA_jobs": "ACA_JOBS",
        "ACA_RUN_JOBS": "ACA_JOBS",
        "ACA_GC_FORC": "ACA_GC_FORCE",
        "ACA_STATUS_JSN": "ACA_JSON",
        "ACA_PLAN_GRAPH_FORMT": "ACA_PLAN_GRAPH_FORMAT",
    }
    env = dict.fromkeys([*slips, "ACA_TEST_SERVER", "ACA_PLAN_OF_MINE", "ACA_GC_FORCE"], "1")
    assert sorted(project.run("status", env=env).stderr.splitlines()) == sorted(
        f"warning: {slip} means nothing to aca; did you mean {meant}?" for slip, meant in slips.items()
    )


def test_bad_input_shows_no_traceback(project: Project) -> None:
    """Whatever a file holds, the answer is about the file."""
    project.write({"bad.md": "- [ ] One {#one needs=two}\n", "bad.json": "{", "bad.toml": "= 3"})
    for name in ("bad.md", "bad.json", "bad.toml", "absent.md", "."):
        outcome = project.run("run", name, expect=2)
        assert "Traceback" not in outcome.stderr
        assert "nothing was run" in outcome.stderr
