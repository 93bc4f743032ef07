"""``aca plan``: looking at plans, small and large, and comparing them."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from tests.project import Project

TASKS = """\
# Accounts
- [x] Set up {#setup}
- [ ] Model "x" <y> {#model run="true"}
- [ ] Log in {#login needs=model}
  - [ ] Endpoint {#endpoint run="true"}
  - [ ] Look at it {#look kind=approval needs=endpoint}
  - [ ] Limit {#limit run="true"}
- [ ] Ship {#ship needs=login run="true"}
"""


@pytest.fixture
def tasks(project: Project) -> Project:
    project.write({"tasks.md": TASKS})
    return project


def large(groups: int) -> str:
    """A thousand tasks in *groups*."""
    lines = []
    for group in range(groups):
        lines.append(f"- [ ] Group {group} {{#g{group}}}")
        lines += [f'  - [ ] Task {n} {{#t{group}-{n} run="true"}}' for n in range(1000 // groups)]
    return "\n".join(lines)


def test_a_plan_is_shown_with_shape_and_estimate(tasks: Project) -> None:
    """Nothing is made by looking at it, not even ``.aca``."""
    lines = tasks.run("plan", "show", "tasks.md").stdout.splitlines()
    assert "4 levels, at most 2 tasks side by side" in lines
    assert "critical path: model -> endpoint -> look -> ship" in lines
    assert lines[-2].startswith("estimate: ")
    assert lines[-1] == "assumed: a command takes 10.0s (P90 1m00s)"
    assert sum("about 10.0s (P90 1m00s)" in line for line in lines) == 4
    assert not (tasks.root / ".aca").exists()


def test_a_plan_is_shown_to_machines(tasks: Project) -> None:
    """Plan, shape, estimate and approval in one document."""
    shown = tasks.run("plan", "show", "tasks.md", "--json").json
    assert shown["critical_path"] == ["model", "endpoint", "look", "ship"]
    assert shown["levels"][0] == ["model"]
    assert shown["estimate"]["tasks"]["ship"]["seconds"] == {"p50": 10, "p90": 60}
    assert shown["approved"] is False


def test_a_selection_has_levels_and_a_path_of_its_own(tasks: Project) -> None:
    """What is left out takes no step."""
    left = tasks.run("--task-file", "tasks.md", "--dry-run", "--skip", "login").stdout
    assert "2 levels, at most 1 task side by side" in left
    assert "critical path: model -> ship" in left


def test_a_sound_plan_is_valid_and_says_whether_it_is_approved(tasks: Project) -> None:
    """A task file is no contract, and says nothing of that."""
    assert tasks.run("plan", "validate", "tasks.md").stdout == "tasks.md: sound, 7 tasks\n"
    tasks.run("--task-file", "tasks.md", "--dry-run", "--dump-plan", "plan.json")
    assert tasks.run("plan", "validate", "plan.json").stdout.splitlines()[-1] == "not approved"
    tasks.run("plan", "approve", "plan.json", "--by", "ann", "--comment", "fine")
    told = tasks.run("plan", "validate", "plan.json").stdout
    assert "approved by ann, 20" in told
    assert told.endswith(": fine\n")


def test_a_plan_with_mistakes_is_not(tasks: Project) -> None:
    """The messages are those of a run."""
    tasks.write({"bad.md": '- [ ] One {#one needs=two run="true"}\n', "tasks.txt": "x"})
    assert "bad.md:1" in tasks.run("plan", "validate", "bad.md", expect=2).stderr


def test_a_plan_whose_task_file_has_changed_is_not(tasks: Project) -> None:
    """To look at it is still allowed, with a word about it."""
    tasks.run("--task-file", "tasks.md", "--dry-run", "--dump-plan", "plan.json")
    tasks.write({"tasks.md": f"{TASKS}- [ ] More\n"})
    assert "tasks.md has changed" in tasks.run("plan", "validate", "plan.json", expect=6).stderr
    for command in ("show", "graph"):
        tasks.run("plan", command, "plan.json")
    assert "tasks.md has changed" in tasks.run("plan", "show", "plan.json").stderr
    assert tasks.run("plan", "show", "plan.json", "--json").json["moved"] == ["source"]


# -- drawings ---------------------------------------------------------------------------------------------


def test_what_a_plan_says_of_providers_is_looked_at_with_all_else(project: Project) -> None:
    """Where it stands, in the same round: a name or an option is wrong anywhere, a missing key only here."""
    project.write(
        {
            "bad.md": """\
                ---
                provider: anthropic
                providers:
                  claude-clii: {command: claude}
                  openai: {max_turns: 0}
                roles: {tester: {fallback: ["opnai:gpt"]}}
                ---
                - [ ] One {#one provider=olama}
                - [ ] Two {needs=three}
                - [ ] Small {provider=ollama}
                """,
            "good.md": "---\nprovider: anthropic\n---\n- [ ] One\n",
        }
    )
    wrong = [
        'bad.md:4: there is no provider "claude-clii"',
        "bad.md:5: providers.openai: max_turns should be at least 1, not 0",
        'bad.md:6: there is no provider "opnai"',
        'bad.md:8: there is no provider "olama"',
        'bad.md:9: task "two" needs "three", which is not in this plan',
        "bad.md:10: no model is named for Ollama",
        '--provider: there is no provider "clade"',
    ]
    told = project.run("plan", "validate", "bad.md", expect=2).stderr.splitlines()
    assert [line for line in told if line.startswith("bad.md:")] == wrong[:-1]
    told = project.run("run", "bad.md", "--provider", "clade", expect=2).stderr.splitlines()
    assert sorted(line for line in told if line.startswith(("bad.md:", "--"))) == sorted(wrong)
    warned = project.run("plan", "validate", "good.md").stderr
    assert warned.startswith("warning: good.md:2: ANTHROPIC_API_KEY is not set")
    found = project.run("plan", "validate", "good.md", "--json").json
    assert (found["exit_code"], found["problems"], found["reason"]) == (0, [], "sound, 1 task")
    assert [(one["path"], one["line"]) for one in found["warnings"]] == [("good.md", 2)]


def test_a_drawing_in_plain_lines_is_by_level(tasks: Project) -> None:
    """What needs a group comes after what ends it."""
    assert tasks.run("plan", "graph", "tasks.md").stdout == (
        "level 1\n  setup: Set up (done)\n"
        '  model: Model "x" <y>\n'
        "level 2\n  endpoint: Endpoint  <- model\n  limit: Limit  <- model\n"
        "level 3\n  look: Look at it  <- endpoint\n"
        "level 4\n  ship: Ship  <- look, limit\n"
    )


def test_mermaid_and_dot_have_groups_and_arrows(tasks: Project) -> None:
    """Text that would mean something to them is written so that it does not."""
    mermaid = tasks.run("plan", "graph", "tasks.md", "--format", "mermaid").stdout.splitlines()
    assert mermaid[:2] == ["flowchart LR", '  subgraph t0["Log in"]']
    assert '  t2[["Model #quot;x#quot; #lt;y#gt;"]]' in mermaid
    assert '    t4{{"Look at it"}}' in mermaid
    assert "  t2 --> t3" in mermaid
    dot = tasks.run("plan", "graph", "tasks.md", "--format", "dot").stdout
    assert 'subgraph "cluster_login" {' in dot
    assert '"model" [label="Model \\"x\\" <y>", shape=cds];' in dot
    assert '"look" -> "ship";' in dot


def test_an_svg_is_a_picture_in_columns(tasks: Project) -> None:
    """Well-formed, and what comes later stands further right."""
    root = ElementTree.fromstring(tasks.run("plan", "graph", "tasks.md", "--format", "svg").stdout)
    space = "{http://www.w3.org/2000/svg}"
    places = {}
    for group in root.iter(f"{space}g"):
        rect, text = group.find(f"{space}rect"), group.find(f"{space}text")
        assert rect is not None
        assert text is not None
        places[text.text] = float(rect.attrib["x"])
    assert places['Model "x" <y>'] < places["Endpoint"] < places["Look at it"] < places["Ship"]
    assert len(root.findall(f"{space}path")) == 5


@pytest.mark.parametrize("groups", [1, 40, 500])
def test_a_thousand_tasks_stay_readable(project: Project, groups: int) -> None:
    """Shown and drawn by their groups, or by levels where these are too many."""
    project.write({"tasks.md": large(groups)})
    shown = project.run("plan", "show", "tasks.md").stdout.splitlines()
    for spelling in ("text", "mermaid", "dot", "svg"):
        drawn = project.run("plan", "graph", "tasks.md", "--format", spelling).stdout.splitlines()
        assert len(drawn) < 130
    assert len(shown) < 80
    assert any("more tasks (--all shows them)" in line for line in shown)
    assert len(project.run("plan", "graph", "tasks.md", "--all").stdout.splitlines()) > 1000


def test_a_long_chain_is_drawn_in_steps(project: Project) -> None:
    """A thousand levels are as many as a thousand tasks."""
    project.write({"tasks.md": "\n".join(f'{n}. Step {n} {{#s{n} run="true"}}' for n in range(1, 1001))})
    drawn = project.run("plan", "graph", "tasks.md").stdout.splitlines()
    assert drawn[0] == "levels 1 to 13: 13 tasks: s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13"
    assert len(drawn) == 77


# -- differences ------------------------------------------------------------------------------------------


def test_a_plan_does_not_differ_from_its_task_file(tasks: Project) -> None:
    """Contract and source are no difference."""
    tasks.run("--task-file", "tasks.md", "--dry-run", "--dump-plan", "plan.json")
    outcome = tasks.run("plan", "diff", "tasks.md", "plan.json", "--exit-code")
    assert outcome.stdout == "no difference\n"


def test_a_difference_is_told_three_ways(tasks: Project) -> None:
    """With 1 as exit code where that is asked for."""
    tasks.write({"other.md": TASKS.replace("needs=login", 'needs="login setup"').replace("Limit", "Cap")})
    args = ("plan", "diff", "tasks.md", "other.md")
    assert tasks.run(*args).stdout.splitlines() == [
        "2 tasks changed",
        "~ limit: Cap",
        "    title: Limit -> Cap",
        "~ ship: Ship",
        "    dependencies: +setup",
    ]
    assert "  - `dependencies`: `+setup`" in tasks.run(*args, "--format", "markdown").stdout
    document = tasks.run(*args, "--format", "json", "--exit-code", expect=1).json
    assert document["changed"][0] == {
        "id": "limit",
        "changes": [{"field": "title", "before": "Limit", "after": "Cap"}],
    }


# -- estimates --------------------------------------------------------------------------------------------


def test_what_was_done_here_is_what_an_estimate_goes_by(project: Project) -> None:
    """After three times, no assumption is left."""
    project.write({"tasks.md": '- [ ] Wait {#wait run="sleep 0.1"}\n'})
    assert "; assumed" in project.run("--task-file", "tasks.md", "--dry-run").stdout
    for _ in range(3):
        project.run("--task-file", "tasks.md", "--quiet")
    told = project.run("plan", "show", "tasks.md").stdout
    assert "; from earlier sessions" in told
    assert "assumed" not in told
    seconds = project.run("plan", "show", "tasks.md", "--json").json["estimate"]["seconds"]
    assert 0.1 <= seconds["p50"] <= seconds["p90"] < 5


def test_tokens_and_cost_come_from_what_providers_told(project: Project) -> None:
    """A task of another kind is still assumed, and its cost unknown."""
    told = {"t": "end", "text": "done", "in": 900, "out": 100, "cost": 0.25}
    settings = """\
        provider = "mine"
        [providers.mine]
        kind = "cli"
        command = ["python3", "agent.py"]
        permissions.workspace-write = []
        text = {when = {t = "end"}, take = "text"}
        done = {when = {t = "end"}}
        usage = {when = {t = "end"}, input = "in", output = "out", cost_usd = "cost"}
        """
    tasks = "- [ ] One {#one}\n- [ ] Two {#two}\n- [ ] Three {#three}\n"
    project.write(
        {"aca.toml": settings, "agent.py": f"print({json.dumps(json.dumps(told))})", "tasks.md": tasks}
    )
    project.run("run", "tasks.md", "--quiet")
    shown = project.run("plan", "show", "tasks.md").stdout
    assert "3,000 tokens (P90 3,000), $0.75 (P90 $0.75); from earlier sessions" in shown
    other = "- [ ] One {#one}\n- [ ] Four {#four provider=claude-cli}\n"
    project.write({"other.md": other})
    mixed = project.run("plan", "show", "other.md").stdout
    assert "$0.25 (P90 $0.25) and what 1 task will use; assumed for 1 of 2 tasks" in mixed


def test_a_limit_that_will_be_reached_is_told_before(project: Project) -> None:
    """As a warning: a limit loses nothing."""
    project.write({"tasks.md": '- [ ] One {run="true"}\n'})
    told = project.run("run", "tasks.md", "--max-duration", "5s").stderr
    assert "warning: the run will probably stop at max_duration = 5.0s: it is estimated at 10.0s" in told
    assert "perhaps stop" in project.run("run", "tasks.md", "--max-duration", "30s", "--dry-run").stderr
    assert "warning" not in project.run("run", "tasks.md", "--max-duration", "1h", "--dry-run").stderr
