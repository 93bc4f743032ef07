"""What no agent may do, whatever its permissions: files that are not written to, commands that are not run.

A guard rail, not a wall. A shell line says what it does in more ways than can be read from it; what must
hold against somebody who means harm is kept by the sandbox (``bubblewrap``) or a container. Only the
standard library is used, for claude asks this module too, in a process of its own
(``aca.providers.claude.guard``).
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

PATHS = (
    *(".env", "*.key", ".git/config", ".git/config.worktree", ".git/commondir", ".git/hooks"),
    *(".git/modules/**/config", ".git/modules/**/hooks", ".aca"),
)
"""A name means a file or directory anywhere, a path one from the top; with all that is in it."""
COMMANDS = (
    *("rm -r <outside>", "rm -R <outside>", "rm --recursive <outside>", "rm -r .git", "git -C <outside>"),
    *("git --git-dir <outside>", "git --work-tree <outside>"),
    *("git push --force", "git push -f", "git push --force-with-lease", "git push +*", "git push --mirror"),
    *("git push --delete", "git push -d", "git reset --hard", "git clean -f", "git clean --force"),
    *("git checkout --", "git checkout .", "git checkout -f", "git checkout --force", "git restore ."),
    *("git branch -D", "git stash drop", "git stash clear", "git update-ref -d", "git reflog expire"),
    *("git filter-branch", "git worktree remove"),
)
"""A program and words that stand behind it, in this order; options may stand anywhere."""
OUTSIDE = "<outside>"
"""In a command: any path that leads out of the workspace and is not below a directory for temporary files."""
LIFTED = "!"
"""In front of an entry: the default of that name does not hold."""
_TEMPORARY = ("/tmp/", "/var/tmp/")  # noqa: S108
_OPERATORS = "();<>|&\n"
_BEFORE = frozenset(
    {
        *("sudo", "doas", "env", "nice", "nohup", "time", "timeout", "xargs", "command", "exec", "builtin"),
        *("stdbuf", "setsid", "busybox", "find"),
        *("if", "then", "else", "elif", "do", "while", "until", "!", "{", "case", "in"),
    }
)
"""Words behind which a command may begin."""
_FAR = 50
"""So many words behind such a word a command is looked for."""
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh"})
_SUBSTITUTED = re.compile(r"\$\(([^()]*)\)|`([^`]*)`")
_ASSIGNED = re.compile(r"[A-Za-z_]\w*=")


@dataclass(frozen=True)
class Protection:
    """What holds in one plan."""

    paths: tuple[str, ...] = PATHS
    commands: tuple[str, ...] = COMMANDS

    def path_rule(self, path: str) -> str | None:
        """The rule by which *path*, seen from the workspace, is not to be written to."""
        parts = [part for part in path.split("/") if part not in ("", ".")]
        return next((rule for rule in self.paths if _means(rule.strip("/").lower(), parts)), None)

    def command_rule(self, line: str, root: str, directory: str) -> str | None:
        """The rule by which the shell line is not to be run in *directory* of the workspace *root*."""
        for words in _commands(line):
            if words[0] == "cd" and len(words) > 1:
                directory = posixpath.normpath(posixpath.join(directory, words[1].replace("~", "/", 1)))
            for rule in self.commands:
                if _fits(rule.split(), words, root, directory):
                    return rule
        return None

    def path_refusal(self, path: str) -> str | None:
        """Why *path* is not to be written to, for an agent; None where it may be."""
        rule = self.path_rule(path)
        return rule and f"{path} is protected in this project ({rule}) and is not written to; go on without"

    def command_refusal(self, line: str, root: str, directory: str) -> str | None:
        """Why the shell line is not to be run, for an agent; None where it may be."""
        rule = self.command_rule(line, root, directory)
        return rule and f"commands of the kind `{rule}` are not run in this project; go on without"


def protection(paths: Iterable[str], commands: Iterable[str]) -> Protection:
    """The defaults with what a plan adds and, with ``!``, takes out."""
    return Protection(_laid_over(PATHS, paths), _laid_over(COMMANDS, commands))


def _laid_over(defaults: Sequence[str], given: Iterable[str]) -> tuple[str, ...]:
    said = tuple(given)
    lifted = {entry.removeprefix(LIFTED).strip() for entry in said if entry.startswith(LIFTED)}
    added = (entry for entry in said if not entry.startswith(LIFTED))
    return tuple(dict.fromkeys((*(entry for entry in defaults if entry not in lifted), *added)))


# -- paths ------------------------------------------------------------------------------------------------


def _means(rule: str, parts: Sequence[str]) -> bool:
    """Whether the rule means the path, or a directory it is in. As on some disks, case does not count."""
    lower = [part.lower() for part in parts]
    if "/" not in rule:
        return any(fnmatchcase(part, rule) for part in lower)
    names = rule.split("/")
    return len(lower) >= len(names) and _starts(names, lower)


def _starts(names: Sequence[str], parts: Sequence[str]) -> bool:
    if not names:
        return True
    if names[0] == "**":
        return any(_starts(names[1:], parts[start:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], names[0]) and _starts(names[1:], parts[1:])


# -- commands ---------------------------------------------------------------------------------------------


def _commands(line: str) -> Iterator[list[str]]:
    """The commands in a shell line, as their words; those inside of others too."""
    for words in _split(line):
        while words and _ASSIGNED.match(words[0]):
            words = words[1:]
        if not words:
            continue
        yield words
        name = posixpath.basename(words[0])
        if name in _BEFORE:
            yield from (words[start:] for start in range(1, min(len(words), _FAR)))
        if name in _SHELLS or name == "eval":
            yield from (inner for word in words[1:] if " " in word for inner in _commands(word))
    for found in _SUBSTITUTED.finditer(line):
        yield from _commands(found[1] or found[2] or "")


def _split(line: str) -> Iterator[list[str]]:
    """The words of *line* between operators. A line that no shell would take is taken as it stands."""
    lexer = shlex.shlex(line.replace("\\\n", " "), posix=True, punctuation_chars=_OPERATORS)
    lexer.whitespace, lexer.commenters, lexer.whitespace_split = " \t\r", "", True
    try:
        words = list(lexer)
    except ValueError:
        words = re.sub(r"[;\n]", " ; ", re.sub(r"[\"']", " ", line)).split()
    command: list[str] = []
    is_file = False
    for word in words:
        is_operator = bool(word) and all(char in _OPERATORS for char in word)
        if is_operator and not ("<" in word or ">" in word):
            yield command
            command = []
        elif not (is_operator or is_file):
            command.append(word)
        is_file = is_operator and ("<" in word or ">" in word)
    yield command


def _fits(rule: Sequence[str], words: Sequence[str], root: str, directory: str) -> bool:
    """Whether the command *words* is of the kind that *rule* says."""
    if not rule or not fnmatchcase(posixpath.basename(words[0]), rule[0]):
        return False
    given = [part for word in words[1:] for part in _parts(word)]
    at = 0
    for wanted in rule[1:]:
        if _is_option(wanted):
            if not any(_has_option(word, wanted) for word in given):
                return False
            continue
        found = (index for index in range(at, len(given)) if _is(given[index], wanted, root, directory))
        if (index := next(found, None)) is None:
            return False
        at = index + 1
    return True


def _parts(word: str) -> list[str]:
    """``--git-dir=x`` is two words to a rule."""
    return word.split("=", 1) if word.startswith("--") and "=" in word else [word]


def _is_option(word: str) -> bool:
    return len(word) > 1 and word.startswith("-") and word != "--"


def _has_option(word: str, option: str) -> bool:
    """Options of one letter may stand together: ``-fdx`` has ``-f``."""
    if len(option) == 2:
        return word.startswith("-") and not word.startswith("--") and option[1] in word[1:]
    return fnmatchcase(word, option)


def _is(word: str, wanted: str, root: str, directory: str) -> bool:
    if wanted == OUTSIDE:
        return leads_out(word, root, directory)
    return fnmatchcase(word.rstrip("/") or word, wanted)


def leads_out(word: str, root: str, directory: str) -> bool:
    """Whether *word* is a path that leads out of *root*, as far as the word alone tells."""
    if word.startswith(("~", "$HOME", "${HOME}")):
        return True
    path = posixpath.normpath(posixpath.join(directory, word))
    if path.startswith(_TEMPORARY) and not root.startswith(path + "/"):
        return False
    return path != root and not path.startswith(root.rstrip("/") + "/")
