"""What no agent may do: which paths and which shell lines a rule means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aca.safety.protection import COMMANDS, PATHS, Protection, protection

ROOT = "/home/ann/project"
DENIED = {
    "rm -r <outside>": [
        *(
            "rm -rf /",
            "rm -fr ../other",
            "rm -r -f /etc",
            "rm -rf ~/x",
            'rm -rf "$HOME"',
            "cd /; rm -rf home",
        ),
        *(
            "sudo rm -rf /usr",
            "X=1 /bin/rm -rf /",
            "bash -c 'ls; rm -rf /'",
            'echo "$(rm -rf /)"',
            "`rm -rf /`",
        ),
        *(
            "ls\nrm -rf /",
            "if true; then rm -rf /; fi",
            "find . -exec rm -rf / ;",
            "rm -rf 2>x /",
            "rm -rf '/",
        ),
        *("true && rm -rf /", "true | xargs rm -rf /", "(rm -rf /)", "rm -rf \\\n /", "rm -rf /tmp"),
    ],
    "rm -r .git": ["rm -rf .git", "rm -rf .git/"],
    "git push --force": ["git push --force", "git push origin main --force", "git -C sub push --force"],
    "git push -f": ["git push -uf origin x"],
    "git push +*": ["git push origin +main"],
    "git -C <outside>": ["git -C ../other commit -m x", "git -c a=b -C /x log"],
    "git --git-dir <outside>": ["git --git-dir=/x/.git log"],
    "git reset --hard": ["git reset --hard", "cd sub && git reset HEAD~1 --hard"],
    "git clean -f": ["git clean -fdx"],
    "git checkout --": ["git checkout -- a.txt"],
    "git branch -D": ["git branch -D main"],
}
ALLOWED = [
    *(
        "rm -rf build",
        "rm -rf ./a/../b",
        f"rm -rf {ROOT}/build",
        "rm -rf /tmp/x",
        "rm a.txt",
        "git push origin x",
    ),
    *(
        "git reset HEAD",
        "git clean -n",
        "git checkout main",
        "git checkout -b x",
        "git branch -d x",
        "git log",
    ),
    *(
        "echo 'git push --force'",
        "grep -rn 'rm -rf /' .",
        "git commit -m 'rm -rf /'",
        "git push 2>&1 | tail -f",
    ),
    *("cat > f <<EOF\nhello\nEOF", "", ";;", "git -C sub status"),
]


@pytest.mark.parametrize(("rule", "line"), [(rule, line) for rule, lines in DENIED.items() for line in lines])
def test_a_line_that_destroys_is_denied(rule: str, line: str) -> None:
    """However it is wrapped, as far as a reader of shell lines gets."""
    assert Protection().command_rule(line, ROOT, ROOT) == rule


@pytest.mark.parametrize("line", ALLOWED)
def test_everyday_lines_are_not(line: str) -> None:
    """Work inside the workspace, and words about it."""
    assert Protection().command_rule(line, ROOT, ROOT) is None


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        (".env", ".env"), ("a/.ENV", ".env"), (".env.example", None), ("x/y.key", "*.key"),
        ("y.key/z", "*.key"),
        (".git/config", ".git/config"), (".git/hooks/x", ".git/hooks"), ("sub/.git/config", None),
        (".git/modules/a/b/config", ".git/modules/**/config"), (".git/modules/a/objects/config2", None),
        (".git/HEAD", None), (".aca/sessions/x", ".aca"), ("monkey.py", None),
    ],
)  # fmt: skip
def test_paths_that_are_protected(path: str, rule: str | None) -> None:
    """By a name anywhere, or by a path from the top; with all that is in it."""
    assert Protection().path_rule(path) == rule


def test_a_plan_adds_rules_and_takes_out_defaults() -> None:
    """With an exclamation mark."""
    held = protection(["!.env", "secrets/**/private", "!*.key"], ["make deploy", "!git reset --hard"])
    assert set(PATHS) - set(held.paths) == {".env", "*.key"}
    assert held.path_rule("secrets/a/b/private/c") == "secrets/**/private"
    assert held.command_rule("make -j4 deploy", ROOT, ROOT) == "make deploy"
    assert held.command_rule("git reset --hard", ROOT, ROOT) is None
    assert set(COMMANDS) - set(held.commands) == {"git reset --hard"}


@given(st.text(alphabet=st.sampled_from("rm -f/'\"`$(){}\\;|&<>\n#=~ab.*"), max_size=60))
def test_any_text_can_be_asked_about(line: str) -> None:
    """What no shell would take is no error here."""
    Protection().command_rule(line, ROOT, ROOT)
