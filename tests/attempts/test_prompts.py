"""What an agent is told: read from the prompts that real runs left in their logs."""

from __future__ import annotations

from tests.project import Project

SCRIPT = """
    [tasks."*"]
    steps = [{say = "All of it is in app.py."}]
    """


def prompt(project: Project, task: str, attempt: int = 1) -> str:
    return (project.session().task_logs / task / f"{attempt}.prompt.md").read_text()


def run(project: Project, tasks: str, *args: str, script: str = SCRIPT, expect: int = 0) -> None:
    front = project.replay(script)
    project.write({"tasks.md": front + tasks})
    project.run("--task-file", "tasks.md", *args, expect=expect)


def test_headings_and_the_top_of_the_file_are_context(project: Project) -> None:
    """Prose above a task reaches its prompt; prose of another section does not."""
    run(
        project,
        "# Accounts\n\nEverything is Python.\n\n## Backend\n\nUse SQLAlchemy.\n\n- [ ] Model {#model}\n"
        "  With names.\n\n## Frontend\n\nUse htmx.\n\n- [ ] Page {#page}\n",
    )
    told = prompt(project, "model")
    assert [
        part in told for part in ("Everything is Python.", "Use SQLAlchemy.", "With names.", "Use htmx.")
    ] == [
        True,
        True,
        True,
        False,
    ]


def test_subtasks_inherit_their_group_s_text_and_references(project: Project) -> None:
    """Down through every level."""
    project.write({"policy.md": "Five attempts a minute.\n"})
    run(
        project,
        "- [ ] Log in {#login}\n  Sessions end after an hour. See [the policy](policy.md).\n"
        "  - [ ] Endpoint {#endpoint}\n    - [ ] Route {#route}\n",
    )
    told = prompt(project, "route")
    assert "Sessions end after an hour." in told
    assert "Five attempts a minute." in told
    assert told.index("Log in") < told.index("Endpoint") < told.index("Your task: Route")


def test_an_arrow_puts_a_file_into_the_prompt(project: Project) -> None:
    """Text files with their content, binary ones by name."""
    project.write({"specs/login.md": "Tokens have 32 bytes.\n"})
    (project.root / "logo.png").write_bytes(b"\x89PNG\0\0")
    run(project, "- [ ] Log in {#login} -> specs/login.md -> logo.png\n")
    told = prompt(project, "login")
    assert "Tokens have 32 bytes." in told
    assert "logo.png\n\n(a binary file)" in told


def test_what_was_done_before_is_handed_on(project: Project) -> None:
    """The last word of a dependency is part of what needs it."""
    run(project, "- [ ] First {#first}\n- [ ] Second {#second needs=first}\n- [ ] Third {#third}\n")
    assert "- First: All of it is in app.py." in prompt(project, "second")
    assert "All of it is in app.py." not in prompt(project, "third")


def test_a_second_attempt_is_told_why_the_first_one_failed(project: Project) -> None:
    """With the output of the check that found out."""
    script = """
        [tasks.make]
        steps = [
          {say = "done"},
          {attempt = 2, write = "made.txt", content = "made"},
        ]
        """
    run(project, '- [ ] Make it {#make retry_delay=0s check="cat made.txt"}\n', script=script)
    assert "An earlier attempt failed" not in prompt(project, "make", 1)
    told = prompt(project, "make", 2)
    assert "An earlier attempt failed" in told
    assert "No such file or directory" in told


def test_system_prompts_of_role_and_flag_reach_the_provider(project: Project) -> None:
    """``--append-system-prompt`` comes on top of what the role says."""
    program = project.root / "claude"
    project.write({
        "claude": '''\
            #!/usr/bin/env python3
            import json, sys
            open("argv.json", "w").write(json.dumps(sys.argv))
            print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "ok",
                              "permission_denials": [], "usage": {}}))
            ''',
        "tasks.toml": f'''\
            provider = "claude-cli"
            [claude_code]
            command = "{program}"
            [roles.backend]
            system_prompt = "You write services."
            [[tasks]]
            title = "Serve"
            role = "backend"
            ''',
    })  # fmt: skip
    program.chmod(0o755)
    project.run("--task-file", "tasks.toml", "--append-system-prompt", "Be brief.")
    assert '"You write services.\\n\\nBe brief."' in project.read("argv.json")


def test_a_reference_that_vanished_fails_its_task_by_name(project: Project) -> None:
    """It was there when the plan was made; the run says which file is gone."""
    project.write({"spec.md": "x\n"})
    run(
        project,
        '1. Clean up {run="rm spec.md"}\n2. Build {#build} -> spec.md\n',
        expect=1,
    )
    assert "spec.md" in project.session().state().states["build"].reason


def test_files_for_which_there_is_no_room_are_named(project: Project) -> None:
    """Bytes count, not characters, and what was left out is said."""
    project.write({f"long{number}.txt": "é" * 131_072 for number in range(4)})
    project.write({"short.txt": "x\n", "more.txt": "y\n"})
    arrows = " ".join(f"-> long{number}.txt" for number in range(4))
    run(project, f"- [ ] Read {{#read}} {arrows} -> short.txt -> more.txt\n")
    told = prompt(project, "read")
    assert told.count("é") == 4 * 131_072
    assert "there was no room here\n\n- short.txt\n- more.txt\n" in told


def test_the_last_file_may_be_cut_short(project: Project) -> None:
    """There is room for a part of it."""
    project.write({f"long{number}.txt": "x" * 200_000 for number in range(7)})
    arrows = " ".join(f"-> long{number}.txt" for number in range(7))
    run(project, f"- [ ] Read {{#read}} {arrows}\n")
    told = prompt(project, "read")
    assert "(only the first 48576 bytes of it)" in told
    assert "no room here\n\n- long6.txt\n" in told


def test_what_a_group_did_is_handed_on_and_what_it_needed_too(project: Project) -> None:
    """The results of the work in it, to all the work in the group that needs it."""
    script = """
        [tasks.model]
        steps = [{say = "The model is in model.py."}]
        [tasks.routes]
        steps = [{subtasks = [{title = "Read"}]}, {say = "One route is enough."}]
        [tasks."*"]
        steps = [{say = "It is in routes.py."}]
        """
    run(
        project,
        "- [ ] Backend {#backend}\n  - [ ] Model {#model}\n  - [ ] Routes {#routes needs=model}\n"
        "- [ ] Frontend {#frontend needs=backend}\n  - [ ] Page {#page}\n- [ ] Other {#other}\n",
        script=script,
    )
    told = prompt(project, "page")
    assert "- Model: The model is in model.py.\n- Read: It is in routes.py.\n" in told
    assert "One route is enough." not in told
    assert "The model is in model.py." in prompt(project, "routes.read")
    assert "What was done before" not in prompt(project, "other")


def test_very_many_results_are_cut(project: Project) -> None:
    """The prompt says how many more there are."""
    script = f'tasks."*".steps = [{{say = "{"x" * 1990}"}}]\n'
    parts = "".join(f"  - [ ] Part {number}\n" for number in range(40))
    run(project, f"- [ ] All\n{parts}- [ ] Last {{#last needs=all}}\n", script=script)
    assert "- … 8 more tasks, for which there was no room here\n" in prompt(project, "last")
