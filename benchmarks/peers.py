"""Programs of aca's kind, each in an environment of its own that is made on first use."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.measure import Contender

HOME = Path(__file__).parent.parent / ".cache" / "benchmarks"
PACKAGES = {
    "aiolimiter": ["aiolimiter==1.3.0", "openai==3.52.0"],
    "bare typer": ["typer==0.29.2"],
    "dbos": ["dbos==3.4.0"],
    "doit": ["doit==0.37.0"],
    "inspect": ["inspect-ai==0.3.285"],
    "llm": ["llm==0.36"],
    "luigi": ["luigi==3.8.1"],
    "ninja": ["ninja==1.13.2"],
    "pre-commit": ["pre-commit==4.7.0"],
    "prefect": ["prefect==3.9.1"],
    "pyrate-limiter": ["pyrate-limiter==4.5.1", "openai==3.52.0"],
    "snakemake": ["snakemake==9.27.1"],
}
"""What pip installs for each."""


class MissingError(Exception):
    """A peer cannot be had on this machine; the text says why."""


def python(peer: str) -> str:
    """The Python of the peer's environment, which is made when it is not there yet. Raises MissingError."""
    home = HOME / peer.replace(" ", "-")
    interpreter = home / "bin" / "python"
    if not (home / "ready").exists():
        try:
            _install(peer, home, interpreter)
        except (OSError, subprocess.CalledProcessError) as error:
            raise MissingError(f"{peer} cannot be installed: {_why(error)}") from error
        (home / "ready").touch()
    return str(interpreter)


def _install(peer: str, home: Path, interpreter: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)
    venv.create(home, with_pip=True)
    command = [str(interpreter), "-m", "pip", "install", "--quiet", *PACKAGES[peer]]
    subprocess.run(command, capture_output=True, text=True, check=True)


def _why(error: OSError | subprocess.CalledProcessError) -> str:
    told = error.stderr if isinstance(error, subprocess.CalledProcessError) else ""
    return (told or str(error)).strip().splitlines()[-1]


def program(peer: str, name: str = "") -> str:
    """A program of the peer's environment."""
    return str(Path(python(peer)).with_name(name or peer))


def prefect_database() -> Path:
    """A directory with an empty database of prefect's, which takes long to make. Raises MissingError."""
    home = HOME / "prefect" / "database"
    if not home.exists():
        made = home.with_name("database.part")
        command = [python("prefect"), "-m", "prefect", "server", "database", "upgrade", "-y"]
        env = {**os.environ, "PREFECT_HOME": str(made)}
        try:
            subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        except subprocess.CalledProcessError as error:
            raise MissingError(f"prefect cannot make its database: {_why(error)}") from error
        made.rename(home)
    return home


def installed(name: str) -> str:
    """A program that the machine has or has not. Raises MissingError."""
    found = shutil.which(name)
    if found is None:
        raise MissingError(f"{name} is not on the PATH")
    return found


ACA = [sys.executable, "-m", "aca"]


def to_be_had(makers: Iterable[Callable[[], Contender]]) -> tuple[list[Contender], list[str]]:
    """Whoever is to be had here, and why the others are not."""
    contenders, missing = [], []
    for make in makers:
        try:
            contenders.append(make())
        except MissingError as error:
            missing.append(str(error))
    return contenders, missing
