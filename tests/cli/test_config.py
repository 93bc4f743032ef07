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
