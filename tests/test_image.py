"""The image that the Dockerfile makes, built and run by a real engine."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

CHECKOUT = Path(__file__).parents[1]
TAG = "aca:test"


def docker(*args: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
    """``docker ARGS``, its output kept; *expect* is its exit code, None for any."""
    done = subprocess.run(["docker", *args], capture_output=True, text=True, timeout=240, check=False)
    assert expect in (None, done.returncode), f"docker {args[0]} ended with {done.returncode}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image, built of this checkout. Test processes take turns: all but the first find it built."""
    _need_engine()
    with open(tmp_path_factory.getbasetemp().parent / "image.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        docker("build", "--tag", TAG, str(CHECKOUT))
    return TAG


def _need_engine() -> None:
    try:
        engine = docker("version", expect=None)
    except FileNotFoundError:
        pytest.skip("docker is not installed")
    if engine.returncode:
        pytest.skip(f"no Docker engine answers: {engine.stderr.strip()}")


@pytest.fixture
def container(image: str) -> Iterator[str]:
    """The name of a container to be, removed with the test."""
    name = f"aca-test-{uuid4().hex}"
    yield name
    docker("rm", "--force", "--volumes", name, expect=None)


def test_the_quickstart_runs_in_the_image(image: str, container: str, tmp_path: Path) -> None:
    """Without any argument the image runs the quickstart, and its files are really made."""
    done = docker("run", "--name", container, "--network", "none", image)
    assert re.search(r"6 completed", done.stdout), done.stdout
    docker("cp", f"{container}:/workspace/scratch/quickstart", str(tmp_path))
    made = {path.name for path in (tmp_path / "quickstart" / "tally").glob("*.py")}
    assert made == {"__init__.py", "__main__.py", "bars.py", "words.py"}


def test_nothing_in_the_image_runs_as_root(image: str) -> None:
    """What a model wrote is not run as root unless somebody asks for that."""
    assert docker("run", "--rm", "--entrypoint", "whoami", image).stdout == "aca\n"


def test_a_stopped_container_is_resumed_by_another(image: str, container: str, tmp_path: Path) -> None:
    """As process 1 and as a user the image does not know, aca stops in good order and goes on elsewhere."""
    user = _owner(tmp_path)
    (tmp_path / "tasks.md").write_text('- [ ] Wait {run="touch begun; test -e go || sleep 60"}\n')
    workspace = ["--user", f"{user}:{user}", "--volume", f"{tmp_path}:/workspace", image]
    docker("run", "--detach", "--name", container, *workspace, "--task-file", "tasks.md")
    _until_made(tmp_path / "begun", container)
    docker("stop", "--time", "30", container)
    assert docker("wait", container).stdout == "143\n", docker("logs", container).stderr
    (tmp_path / "go").touch()
    assert "1 completed" in docker("run", "--rm", *workspace, "resume").stdout
    assert (tmp_path / ".aca").stat().st_uid == user


def _owner(directory: Path) -> int:
    """The id of an ordinary user to whom *directory* belongs; root gives it to one."""
    if os.getuid() == 0:
        os.chown(directory, 4321, 4321)
    return directory.stat().st_uid


def _until_made(file: Path, container: str) -> None:
    while not file.exists():
        running = docker("inspect", "--format", "{{.State.Running}}", container).stdout
        assert running == "true\n" or file.exists(), docker("logs", container).stderr
        time.sleep(0.05)


def test_tasks_find_git_and_a_python_of_their_own(image: str) -> None:
    """The python3 of a task is not the one that aca runs on: what aca depends on cannot be imported there."""
    script = "git --version && ! python3 -c 'import pydantic' 2>/dev/null"
    docker("run", "--rm", "--entrypoint", "sh", image, "-c", script)
