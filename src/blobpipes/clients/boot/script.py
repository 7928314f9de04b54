"""The script that a machine runs at its start: it ends itself in every case, and leaves the rest to Python."""

from __future__ import annotations

import base64
import gzip
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from blobpipes.clients.boot import on_machine
from blobpipes.clients.boot.code import Code, NoCode
from blobpipes.clients.place import JobSpec
from blobpipes.errors import LaunchError

ROOT: Final = "/var/lib/blobpipes"  # where a machine keeps what belongs to a job
MAX_LIFETIME: Final = 24 * 3600.0  # seconds


@dataclass(frozen=True, slots=True)
class BootSettings:
    """What every machine of one client does at its start."""

    python: str = "3.12"  # the version that the kit was made for
    env: Mapping[str, str] = field(default_factory=dict)  # for the boot and the job: endpoints, a region, an account
    code: Code = field(default_factory=NoCode)
    setup: tuple[str, ...] = ()  # shell commands that run before the program, such as the installation of packages
    max_lifetime: float = MAX_LIFETIME  # seconds after which the machine ends itself, whatever it does
    root: str = ROOT


def boot_script(spec: JobSpec, kit_url: str, settings: BootSettings) -> str:
    """The whole script, for cloud-init's user data or a start-up script. POSIX shell.

    Raises:
        LaunchError: a variable cannot be exported by a shell.
    """
    for name in {**settings.env, **spec.env}:
        if not name.isidentifier():
            raise LaunchError(f"{name!r} cannot be a variable's name", remedy="Letters, digits and _ only.")
    wanted: dict[str, Any] = {
        "kit": kit_url,
        "env": dict(spec.env),
        "command": list(spec.command),
        "cwd": spec.cwd,
        "code": settings.code.wanted(),
        "setup": list(settings.setup),
    }
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in sorted(settings.env.items()))
    return _SCRIPT.format(
        token=spec.token,
        folder=shlex.quote(f"{settings.root}/{spec.token}"),
        seconds=int(settings.max_lifetime),
        python=settings.python,
        exports=exports,
        program=_packed(Path(on_machine.__file__).read_bytes()),
        settings=_packed(json.dumps(wanted).encode()),
    )


def _packed(content: bytes) -> str:
    """As text that a shell takes as it is: user data may be 16 KiB."""
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()


_SCRIPT: Final = """\
#!/bin/sh
# Written by blobpipes for the job {token}. The machine ends when this script does, whatever happens.
# shellcheck disable=SC2016 # what stands in single quotes is meant as it is
set -u
umask 077
folder={folder}

end_machine() {{
    status=$?
    echo "[boot] the job's script has ended with $status: this machine shuts down"
    sync
    shutdown -h now
}}
trap end_machine EXIT
trap 'exit 143' TERM INT HUP

# A machine must not outlive its time, whatever hangs.
( sleep {seconds} && shutdown -h now ) >/dev/null 2>&1 &

if [ -e "$folder" ]; then
    echo "[boot] this machine has started before: the job is not run twice"
    exit 0
fi
mkdir -p "$folder" && cd "$folder" || exit 73

{exports}

python=
for name in python{python} python3; do
    if command -v "$name" >/dev/null 2>&1 &&
        [ "$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" = "{python}" ]; then
        python=$name
        break
    fi
done
if [ -z "$python" ]; then
    echo "[boot] the boot has failed: this machine has no Python {python}; it has: $(python3 --version 2>&1)"
    exit 69
fi

echo {program} | base64 -d | gzip -d >boot.py || exit 73
echo {settings} | base64 -d | gzip -d >settings.json || exit 73
"$python" boot.py
"""
