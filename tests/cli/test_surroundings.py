"""Where aca is called: what stands in the way there, or is gone, is called by its name."""

from __future__ import annotations

import subprocess

import pytest

from tests.project import Project


def test_a_file_where_a_directory_belongs_is_named(project: Project) -> None:
    """Before anything runs; a task that is sent into a file is told so too."""
    project.write({".aca": "", "notes": "", "tasks.md": '- [ ] One {run="true" cwd=notes}\n'})
    assert ".aca is a file where aca has a directory" in project.run("run", "tasks.md", expect=7).stderr
    assert ".aca: it is a file where a directory belongs" in project.run("doctor", expect=2).stdout
    (project.root / ".aca").unlink()
    assert "notes: this working directory is no directory" in project.run("run", "tasks.md", expect=1).stderr
    project.write({"tasks.md": '---\ncwd: notes/deep\n---\n- [ ] One {run="true"}\n'})
    assert 'tasks.md:2: cwd "notes/deep" leads to a file' in project.run("run", "tasks.md", expect=2).stderr


def test_a_directory_that_was_removed_is_not_blamed_on_an_option(project: Project) -> None:
    """It is the one that the shell is in."""
    line = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    argv = ["/bin/sh", "-c", line, "sh", *project.argv("status")]
    done = subprocess.run(argv, cwd=project.root, env=project.env(), capture_output=True, text=True)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "the directory you are in has been removed")


@pytest.mark.parametrize("run", ["'./{}'", "['./{}']"])
def test_a_script_that_nothing_can_run_is_told_from_one_that_is_not_there(project: Project, run: str) -> None:
    """Systems say of both that they are not found."""
    project.write(
        {
            "lost.sh": "#!/opt/no/such/shell -e\n",
            "windows.sh": "#!/bin/sh\r\ntrue\r\n",
            "tasks.toml": "".join(
                f"[[tasks]]\ntitle = '{name}'\nrun = {run.format(f'{name}.sh')}\n"
                for name in ("lost", "windows", "missing")
            ),
        }
    )
    for name in ("lost.sh", "windows.sh"):
        (project.root / name).chmod(0o755)
    told = project.run("run", "tasks.toml", expect=1).stderr
    assert "./lost.sh: its first line names the interpreter /opt/no/such/shell, which is not here" in told
    assert "the interpreter /bin/sh, which ends in a carriage return: save it with Unix line ends" in told
    assert told.count("its first line") == 2
