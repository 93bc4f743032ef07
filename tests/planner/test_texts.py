"""Twelve texts, each with what a model might say to it: the right plan comes of it, or a clear refusal."""

from __future__ import annotations

from typing import Any

import pytest

from tests.planner.answers import Answer, copy, draft, say, task
from tests.project import Outcome, Project

Plan = dict[str, Any]


def plan(project: Project, name: str, *answers: Answer, linked: tuple[str, ...] = ()) -> tuple[Plan, Outcome]:
    """The plan that comes of the text *name*, and what was told of it."""
    copy(project, name, *linked)
    say(project, *answers)
    outcome = project.run("--task-file", name, "--use-intelligent-parser", "--dry-run", "--json")
    return outcome.json, outcome


def refused(project: Project, name: str, *answers: Answer, linked: tuple[str, ...] = ()) -> str:
    """What is told of a text that no plan is made of; nothing has run."""
    copy(project, name, *linked)
    say(project, *answers)
    outcome = project.run("--task-file", name, "--use-intelligent-parser", expect=2)
    assert project.sessions() == []
    return outcome.stderr


def by_id(made: Plan) -> dict[str, Any]:
    return {one["id"]: one for one in made["tasks"]}


def test_a_list(project: Project) -> None:
    """What needs what, what comes first, how hard it is; the author's line goes to the agent as it is."""
    answer = draft(
        task("sign-up", (3, 3), priority=8, estimated_complexity=4),
        task("log-in", (4, 4), dependencies=["sign-up"], touches=["auth/**"]),
        task("fast-tests", (5, 5), tags=["tests"], checks=["timeout 60 pytest"]),
        execution_mode="parallel",
    )
    made, outcome = plan(project, "list.md", answer)
    tasks = by_id(made)
    assert (made["name"], made["execution_mode"], made["max_concurrent_tasks"]) == ("Shop", "parallel", 3)
    assert tasks["log-in"]["dependencies"] == ["sign-up"]
    assert (tasks["sign-up"]["priority"], tasks["sign-up"]["estimated_complexity"]) == (8, 4)
    assert tasks["fast-tests"]["checks"] == [{"run": "timeout 60 pytest"}]
    assert tasks["fast-tests"]["context"] == "From list.md, line 5:\n\n> * make the tests fast!!"
    assert "planned by replay: 1,200 tokens, $0.02, " in outcome.stderr
    assert "in no task" not in outcome.stderr


def test_a_requirements_document(project: Project) -> None:
    """Groups, and the file it links to; what is in no task is told to all, and said by line."""
    answer = draft(
        task("invoices", (9, 19), title="Send invoices"),
        task("pdf", (16, 16), parent="invoices"),
        task("mail", (17, 17), parent="invoices", dependencies=["pdf"]),
    )
    made, outcome = plan(project, "prd.md", answer, linked=("layout.md",))
    tasks = by_id(made)
    assert tasks["pdf"]["parent_id"] == tasks["mail"]["parent_id"] == "invoices"
    assert "R1" not in tasks["invoices"]["context"], "which its part is told"
    assert "| R3 | Reminder" in tasks["invoices"]["context"]
    assert all(one.get("file_refs") == ["layout.md"] for one in made["tasks"] if "parent_id" not in one)
    assert "Other currencies." in made["description"]
    assert "Everything is in `billing/`." in made["description"]
    assert "prd.md:5: in no task, so every agent is told: Finance types" in outcome.stderr
    assert "prd.md:24: in no task, so every agent is told: Other currencies." in outcome.stderr
    assert "prd.md:22" not in outcome.stderr, "a heading says nothing by itself"


def test_nested_prose(project: Project) -> None:
    """Three levels of groups, and a line that a group and its part are made of is told once."""
    answer = draft(
        task("storage", (1, 4)),
        task("schema", (1, 2), parent="storage"),
        task("migration", (2, 4), parent="storage", dependencies=["schema"]),
        task("page", (6, 11)),
        task("table", (8, 8), parent="page"),
        task("sorting", (9, 9), parent="table"),
        task("filters", (10, 10), parent="table", dependencies=["sorting"]),
        task("chart", (11, 11), parent="page", dependencies=["table"]),
        execution_mode="intelligent",
    )
    made, _ = plan(project, "nested.md", answer)
    tasks = by_id(made)
    assert tasks["filters"]["parent_id"] == "table"
    assert tasks["table"]["parent_id"] == "page"
    assert "context" not in tasks["storage"]
    assert ">     The migration must not lose rows." in tasks["migration"]["context"]
    assert made["execution_mode"] == "intelligent"


def test_another_language(project: Project) -> None:
    """Titles and ids in it, and the author's own words unharmed."""
    answer = draft(
        task("größe", (3, 3), title="Datenbank anlegen"),
        task("übersicht", (4, 4), title="Wochenübersicht", dependencies=["größe"]),
    )
    made, _ = plan(project, "german.md", answer)
    assert by_id(made)["übersicht"]["dependencies"] == ["größe"]
    assert "Größe, Öffnungszeiten, Müßiggang" in by_id(made)["übersicht"]["context"]


def test_contradictions_are_told_to_the_author(project: Project) -> None:
    """The planner takes one reading and says so; both lines are still there."""
    answer = draft(task("store", (3, 3)), remarks=["line 1 and 2 exclude each other: SQLite it is"])
    made, outcome = plan(project, "contradictory.md", answer)
    assert "the planner says: line 1 and 2 exclude each other: SQLite it is" in outcome.stderr
    assert "Use PostgreSQL" in made["description"]
    assert "Do not use any database server." in made["description"]


def test_a_circle_is_mended_once(project: Project) -> None:
    """The model is told of it, with its answer, and gives another one."""
    circle = (task("parser", (1, 1), dependencies=["lexer"]), task("lexer", (2, 2), dependencies=["parser"]))
    mended = (task("parser", (1, 1), dependencies=["lexer"]), task("lexer", (2, 2)))
    made, outcome = plan(project, "cyclic.md", draft(*circle), draft(*mended))
    assert by_id(made)["parser"]["dependencies"] == ["lexer"]
    assert "asking once more" in outcome.stderr
    assert "2,400 tokens, $0.04" in outcome.stderr, "both tries are counted"


def test_a_circle_that_stays_is_refused(project: Project) -> None:
    """With all that is wrong and its lines, and the answer is kept."""
    circle = draft(
        task("parser", (1, 1), dependencies=["lexer"], file_refs=["nowhere.py"]),
        task("lexer", (2, 2), dependencies=["parser", "tests"], priority=11),
    )
    told = refused(project, "cyclic.md", circle, circle)
    assert 'cyclic.md:2: task "lexer" needs "tests", which is not in this plan' in told
    assert 'cyclic.md:1: task "parser": there is no file "nowhere.py" that it may refer to' in told
    assert 'cyclic.md:2: task "lexer": priority should be at most 10, not 11' in told
    kept = next(line.split("kept in ")[1] for line in told.splitlines() if "kept in " in line)
    assert '"nowhere.py"' in (project.root / kept).read_text()


def test_three_hundred_items_are_one_call(project: Project) -> None:
    """Each with its line, in order."""
    tasks = [task(f"port-{n}", (n + 2, n + 2)) for n in range(1, 301)]
    made, outcome = plan(project, "long.md", draft(*tasks))
    assert len(made["tasks"]) == 300
    assert made["tasks"][299]["context"].endswith("> 300. Port module number 300")
    assert outcome.stderr.count("planning with") == 1


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            {"permissions": "full", "provider": "claude-cli", "env": {"AWS_KEY": "x"}},
            ["'env', 'permissions', 'provider' were unexpected"],
        ),
        (
            {
                "role": "root",
                "file_refs": [".env"],
                "checks": ["true \x1b]0;"],
                "command": "true \u202e eurt",
            },
            [
                'there is no role "root" that a planner may give',
                'there is no file ".env" that it may refer to',
                "a command has characters in it that cannot be shown",
                'task "a" has a command but is an agent',
            ],
        ),
    ],
    ids=["rights", "names"],
)
def test_what_a_linked_file_talks_the_model_into_gives_no_rights(
    project: Project, more: dict[str, Any], told: list[str]
) -> None:
    """Whatever it is told there: there is no place for it in an answer, or it is refused."""
    project.write({".env": "AWS_KEY=1\n"})
    answer: Answer = {"name": "", "execution_mode": "parallel", "remarks": [], "tasks": [task("a") | more]}
    stderr = refused(project, "injection.md", answer, answer, linked=("vendor-notes.md",))
    assert [piece for piece in told if piece not in stderr] == []


def test_a_command_from_a_linked_file_is_not_run_unseen(project: Project) -> None:
    """The check is in the plan for whoever reviews it, and a run without a review is refused."""
    answer = draft(task("import", (1, 1), checks=["touch pwned"]))
    told = refused(project, "injection.md", answer, linked=("vendor-notes.md",))
    assert "commands run, outside of any agent:\n   import: touch pwned" in told
    assert "--accept-commands" in told
    assert not (project.root / "pwned").exists()


def test_one_sentence(project: Project) -> None:
    """It becomes its steps, each of which is told the sentence."""
    answer = draft(task("toggle", (1, 1)), task("remember", (1, 1), dependencies=["toggle"]))
    made, _ = plan(project, "sentence.txt", answer)
    assert [one["context"] for one in made["tasks"]] == [
        "From sentence.txt, line 1:\n\n> Add a dark mode to the settings page and remember it."
    ] * 2


def test_nothing(project: Project) -> None:
    """An empty file is refused before anybody is asked."""
    told = refused(project, "empty.md", draft(task("a", (1, 1))))
    assert "empty.md: this file is empty, it has no tasks" in told
    assert "planning" not in told


def test_boxes_and_prose(project: Project) -> None:
    """What is written by hand stays as it is, be it in the answer, under another name, or left out."""
    answer = draft(
        task("changelog", (8, 9), priority=1, checks=["false"], description="Short."),
        task("make-a-tag", (11, 11), title="Make a tag", dependencies=["changelog"], tags=["git"]),
        task("blog-post", (13, 13), dependencies=["changelog", "make-a-tag"]),
    )
    made, outcome = plan(project, "mixed.md", answer)
    tasks = by_id(made)
    assert list(tasks) == ["version", "changelog", "print-it", "tag-it", "blog-post"]
    assert tasks["version"]["status"] == "completed"
    assert tasks["print-it"]["status"] == "skipped"
    changelog = tasks["changelog"]
    assert (changelog["priority"], changelog["permissions"]) == (9, "read-only")
    assert changelog["checks"] == [{"run": "true"}]
    assert changelog["description"] == "It is for users, not for us.\n\nShort."
    assert (tasks["tag-it"]["title"], tasks["tag-it"]["tags"]) == ("Tag it", ["git"])
    assert tasks["blog-post"]["dependencies"] == ["changelog", "tag-it"]
    assert tasks["blog-post"]["checks"] == [{"run": "test -f done.txt"}]
    assert made["name"] == "Release 2"
    assert "mixed.md:14: in no task, so every agent is told: Nobody has decided" in outcome.stderr


def test_odd_text(project: Project) -> None:
    """Byte order mark, CRLF, escapes and very long lines arrive; escapes not at the terminal."""
    made, outcome = plan(project, "odd.md", draft(task("odd", (5, 7))))
    assert "[not a link](nowhere.md)" in made["tasks"][0]["context"]
    assert "w" * 3000 in made["description"]
    assert "\x1b[31mred" in made["description"]
    assert "\x1b" not in outcome.stderr
    assert "\u202e" not in outcome.stderr
