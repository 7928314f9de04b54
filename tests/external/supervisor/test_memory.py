"""The kernel's count of processes that it killed, where the two kinds of control groups have it."""

from __future__ import annotations

from pathlib import Path

from blobpipes.external.supervisor.memory import out_of_memory_kills


def machine(root: Path, groups: str, **files: str) -> Path:
    for name, text in {"proc/self/cgroup": groups, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_the_unified_hierarchy(tmp_path: Path) -> None:
    events = {"sys/fs/cgroup/job.slice/memory.events": "low 0\noom 1\noom_kill 3\n"}
    assert out_of_memory_kills(machine(tmp_path, "0::/job.slice\n", **events)) == 3


def test_in_a_container_whose_own_path_is_not_seen(tmp_path: Path) -> None:
    events = {"sys/fs/cgroup/memory.events": "oom_kill 2\n"}
    assert out_of_memory_kills(machine(tmp_path, "0::/../outside\n", **events)) == 2


def test_the_older_hierarchies(tmp_path: Path) -> None:
    control = {"sys/fs/cgroup/memory/docker/1/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"}
    groups = "5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n0::/docker/1\n"
    assert out_of_memory_kills(machine(tmp_path, groups, **control)) == 5


def test_where_nothing_tells(tmp_path: Path) -> None:
    assert out_of_memory_kills(tmp_path) is None
    assert out_of_memory_kills(machine(tmp_path, "4:memory:/a\n0::/\n")) is None
