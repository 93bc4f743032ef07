"""``aca config``: every value and where it comes from."""

from __future__ import annotations

from tests.project import Project


def test_config_tells_where_each_value_comes_from(project: Project) -> None:
    """File with line, variable, or default."""
    project.write({"aca.toml": 'model = "small"\n\n[limits]\nmax_tokens = 5\n'})
    rows = [line.split() for line in project.run("config", env={"ACA_RETRIES": "4"}).stdout.splitlines()]
    assert ["defaults.model", '"small"', "aca.toml:1"] in rows
    assert ["limits.max_tokens", "5", "aca.toml:4"] in rows
    assert ["defaults.retries", "4", "ACA_RETRIES"] in rows
    assert ["defaults.timeout", '"30m"', "default"] in rows


def test_config_of_a_task_file_includes_what_it_says(project: Project) -> None:
    """And tells machines the same."""
    project.write({"tasks.md": "---\nmodel: large\n---\n- [ ] One\n", "aca.toml": 'model = "small"\n'})
    rows = {row["setting"]: row for row in project.run("config", "--task-file", "tasks.md", "--json").json}
    assert (rows["defaults.model"]["value"], rows["defaults.model"]["origin"]) == ("large", "tasks.md:2")


WRONG = """\
provider = "mnie"

[providers.mine]
kind = "clii"
command = ["mine"]

[providers.openai]
base_url = "not a url"

[providers.ollama]
host = "here:99999999"
"""
TOLD = (
    'aca.toml:1: there is no provider "mnie"',
    "aca.toml:4: providers.mine: kind should be 'cli', not \"clii\"\n"
    '    4 | kind = "clii"\n                ^^^^ did you mean "cli"?',
    'aca.toml:8: providers.openai: base_url: "not a url" is no address of a server; write one like http',
    'aca.toml:11: providers.ollama: host: "here:99999999" is no address of a server',
)


def test_whoever_looks_at_settings_tells_what_is_wrong_with_providers(project: Project) -> None:
    """With the line, all at once, and all that look say the same."""
    project.write({"aca.toml": WRONG, "tasks.md": "- [ ] One\n"})
    looks = ("config", "doctor", "plan validate tasks.md", "run tasks.md --dry-run", "run tasks.md")
    for look in looks:
        outcome = project.run(*look.split(), expect=2)
        assert [one for one in TOLD if one not in outcome.stdout + outcome.stderr] == [], look
    assert project.sessions() == []


def test_a_variable_that_holds_no_address_is_named(project: Project) -> None:
    """Before the library stumbles over it."""
    told = project.run("doctor", env={"OLLAMA_HOST": "here:99999999"}, expect=2).stdout
    assert 'mend    provider ollama: OLLAMA_HOST: "here:99999999" is no address of a server' in told
