"""What is said of containers, and what is read of them: amounts, hosts, and the kernel's own counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aca.core.events import ContainerUse
from aca.plans.container import Docker
from aca.plans.values import format_memory, parse_memory
from aca.workspaces.containers.contained import used
from aca.workspaces.containers.proxy import entries, is_allowed

SECOND = """\
memory.events low 0
memory.events oom 3
memory.events oom_kill 2
memory.peak 1048576
cpu.stat usage_usec 1500000
cpu.stat user_usec 1000000
"""
"""As control groups of the second version count."""
FIRST = """\
memory/memory.oom_control oom_kill_disable 0
memory/memory.oom_control under_oom 0
memory/memory.oom_control oom_kill 1
memory/memory.max_usage_in_bytes 2097152
cpuacct/cpuacct.usage 2500000000
"""


@pytest.mark.parametrize(
    ("measured", "use"),
    [
        (SECOND, ContainerUse(peak_memory=1 << 20, cpu_seconds=1.5, oom_kills=2)),
        (FIRST, ContainerUse(peak_memory=2 << 20, cpu_seconds=2.5, oom_kills=1)),
        ("", ContainerUse()),
    ],
)
def test_what_a_container_used_is_read_from_either_kind_of_control_groups(
    measured: str, use: ContainerUse
) -> None:
    """What is not counted is unknown, not zero."""
    assert used(measured) == use


@pytest.mark.parametrize(
    ("text", "amount"),
    [("512m", 512 << 20), ("1.5 GB", 3 << 29), ("2GiB", 2 << 30), ("64K", 64 << 10), (4096, 4096), ("7", 7)],
)
def test_memory_is_written_in_several_ways(text: object, amount: int) -> None:
    """Each unit is 1024 of the one before, as Docker counts."""
    assert parse_memory(text) == amount


@pytest.mark.parametrize("text", ["", "m", "-1", "1 potato", "1e9", True, "1mm", "nan"])
def test_what_is_no_amount_of_memory_is_refused(text: object) -> None:
    """With what to write instead."""
    with pytest.raises(ValueError, match='like "512m"'):
        parse_memory(text)


@given(st.integers(1, 999), st.sampled_from(["kB", "MB", "GB"]))
def test_memory_that_is_shown_can_be_written(number: int, unit: str) -> None:
    """What people see is what they may write."""
    assert format_memory(parse_memory(f"{number}{unit}")) == f"{number} {unit}"


def test_sizes_follow_complexity_and_leave_open_what_they_do_not_say() -> None:
    """A task that asks for none gets none; one that asks gets one though others do not."""
    sizes = {"simple": {"memory_limit": "64m"}, "complex": {"cpu_limit": 4}}
    docker = Docker.model_validate({"image": "i", "memory_limit": "1g", "cpu_limit": 1, "sizes": sizes})
    found = [docker.container(None, complexity) for complexity in (1, None, 9)]
    assert [one and (one.memory_limit, one.cpu_limit) for one in found] == [
        (64 << 20, 1), (1 << 30, 1), (1 << 30, 4),
    ]  # fmt: skip
    assert docker.container(False, 1) is None
    off = docker.model_copy(update={"enabled": False})
    assert off.container(None, 1) is None
    assert off.container(True, 1) is not None
    assert Docker(memory_limit=1 << 30).container(None, 1) is None


@pytest.mark.parametrize("wrong", [{"mounts": "/a:/workspace"}, {"allow_hosts": "a b"}, {"mounts": "a"}])
def test_what_containers_cannot_have_is_refused(wrong: dict[str, str]) -> None:
    """What aca mounts itself stays as it is."""
    with pytest.raises(ValidationError):
        Docker.model_validate(wrong)


def test_an_allow_list_means_hosts_with_their_ports() -> None:
    """Port 443 where none is said; any subdomain where it begins with a star, and not the domain itself."""
    allowed = entries(["API.example.org", "*.example.net:80", "127.0.0.1:9"])
    assert is_allowed("api.example.org", 443, allowed)
    assert is_allowed("API.example.org.", 443, allowed)
    assert is_allowed("a.b.example.net", 80, allowed)
    assert is_allowed("127.0.0.1", 9, allowed)
    for host, port in [("api.example.org", 80), ("example.net", 80), ("evil-example.net", 80),
                       ("api.example.org.evil.com", 443), ("127.0.0.1", 99), ("", 443)]:  # fmt: skip
        assert not is_allowed(host, port, allowed)
