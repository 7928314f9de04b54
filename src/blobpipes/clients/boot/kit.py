"""What a machine needs of blobpipes, as one archive of wheels beside the sessions: no machine needs a package index.

The wheels are those that pip would choose for the machine's Python and processor. That of blobpipes itself is packed
from the files that this process runs, so both sides are of one version, in a checkout too.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import importlib.metadata
import io
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import blobpipes
from blobpipes.errors import LaunchError
from blobpipes.storage.store import Store

FOLDER: Final = "_bp/kits"  # under the storage URL, beside the sessions
EXTRAS: Final = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "az": "azure", "abfs": "azure", "abfss": "azure"}
_TIMES: Final = (2020, 1, 1, 0, 0, 0)  # the same files give the same bytes, so a kit is stored once


@dataclass(frozen=True, slots=True)
class Target:
    """The Python of the machine."""

    python: str = "3.12"  # as pip has it: that of Ubuntu 24.04
    machine: str = "x86_64"  # or aarch64

    @classmethod
    def this(cls) -> Target:
        """This machine's."""
        return cls(f"{sys.version_info[0]}.{sys.version_info[1]}", platform.machine())

    @property
    def is_this(self) -> bool:
        """Whether wheels for this process serve."""
        return self == Target.this() and sys.platform == "linux"


@dataclass(frozen=True, slots=True)
class Kit:
    """An archive of wheels."""

    content: bytes

    @property
    def key(self) -> str:
        """Its name, by its content."""
        return f"{FOLDER}/{hashlib.sha256(self.content).hexdigest()[:32]}.tar.gz"

    def put(self, store: Store) -> str:
        """Store it, unless it is there; its key.

        Raises:
            StoreError: the store refuses it, or is out of reach.
        """
        store.put_if_absent(self.key, self.content)  # whoever was first stored the same
        return self.key


def make_kit(scheme: str, target: Target) -> Kit:
    """Choose, download and pack. Takes some seconds, and a package index or what PIP_FIND_LINKS names.

    Raises:
        LaunchError: pip finds no wheels for the target.
    """
    with tempfile.TemporaryDirectory(prefix="blobpipes-kit-") as folder:
        wheels = Path(folder)
        _download([*_requirements(EXTRAS.get(scheme)), "pip"], target, wheels)
        (wheels / f"blobpipes-{_version()}-py3-none-any.whl").write_bytes(own_wheel())
        return Kit(_packed(wheels))


def own_wheel() -> bytes:
    """The wheel of the blobpipes that this process runs."""
    root = Path(blobpipes.__file__).parent
    info = f"blobpipes-{_version()}.dist-info"
    files = {f"blobpipes/{path.relative_to(root).as_posix()}": path.read_bytes() for path in _sources(root)}
    files[f"{info}/METADATA"] = importlib.metadata.distribution("blobpipes").read_text("METADATA").encode()  # type: ignore[union-attr]
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: blobpipes\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = b"[console_scripts]\nblobpipes = blobpipes.cli.main:main\n"
    record = f"{info}/RECORD"
    lines = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in files.items()]
    files[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in files.items():
            wheel.writestr(zipfile.ZipInfo(name, _TIMES), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _sources(root: Path) -> Iterator[Path]:
    found = (path for path in sorted(root.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return (path for path in found if "examples" not in path.relative_to(root).parts)


def _version() -> str:
    return importlib.metadata.version("blobpipes")


def _requirements(extra: str | None) -> list[str]:
    """What blobpipes asks for, with that extra."""
    wanted = []
    for line in importlib.metadata.requires("blobpipes") or []:
        requirement, _, marker = line.partition(";")
        if not marker.strip() or (extra and f'extra == "{extra}"' in marker.replace("'", '"')):
            wanted.append(requirement.strip())
    return wanted


def _download(requirements: Sequence[str], target: Target, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--only-binary=:all:", "--dest", str(folder)]
    if not target.is_this:
        command += ["--python-version", target.python, "--implementation", "cp"]
        for level in ("2_28", "2_17", "2014"):  # what Amazon Linux 2023, Ubuntu 22.04, Debian 12 and later run
            command += ["--platform", f"manylinux{'' if level == '2014' else '_'}{level}_{target.machine}"]
    try:
        done = subprocess.run([*command, *requirements], capture_output=True, text=True, check=False)
    except OSError as error:
        raise LaunchError(f"pip cannot be run here: {error}") from error
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()][-1:] or ["it said nothing"]
        raise LaunchError(
            f"blobpipes cannot be packed for Python {target.python} on {target.machine}: {said[0].strip()}",
            remedy="Give this process pip and a package index, or wheels: PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER.",
        )


def _packed(folder: Path) -> bytes:
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1, mtime=0) as zipped,  # wheels are compressed already
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for path in sorted(folder.glob("*.whl")):
            entry = tarfile.TarInfo(path.name)
            entry.size, entry.mode = path.stat().st_size, 0o644
            with path.open("rb") as wheel:
                archive.addfile(entry, wheel)
    return out.getvalue()


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
