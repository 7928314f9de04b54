"""Has the kernel killed a process because memory ran out? Linux says so per control group, as a counter."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_ROOT: Final = Path("/")
_MOUNT: Final = Path("sys/fs/cgroup")


def out_of_memory_kills(root: Path = _ROOT) -> int | None:
    """How many processes of this process' control group the kernel has killed so far; None where it does not tell.

    `root` is where /proc and /sys are.
    """
    for file in _counters(root):
        try:
            lines = file.read_text().splitlines()
        except OSError:
            continue
        counts = dict(line.split(" ", 1) for line in lines if " " in line)
        if counts.get("oom_kill", "").isdigit():
            return int(counts["oom_kill"])
    return None


def _counters(root: Path) -> list[Path]:
    """Where the counter may be: the newer interface first. Inside a container the group's own path may not be seen."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    found: list[Path] = []
    for line in sorted(lines, key=lambda line: not line.startswith("0::")):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            mounts, name = [root / _MOUNT], "memory.events"
        elif "memory" in controllers.split(","):
            mounts, name = [root / _MOUNT / "memory"], "memory.oom_control"
        else:
            continue
        found += [mount / inside / name for mount in mounts for inside in (path.lstrip("/"), "")]
    return found
