"""Where a machine gets the program from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from blobpipes.errors import LaunchError


@dataclass(frozen=True, slots=True)
class NoCode:
    """It is on the machine's image."""

    def wanted(self) -> Mapping[str, Any]:
        """For the machine."""
        return {"kind": "none"}


@dataclass(frozen=True, slots=True)
class Files:
    """Small text files, sent along: names under the job's folder, and what they hold."""

    files: Mapping[str, str]

    def __post_init__(self) -> None:
        for name in self.files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not path.name:
                raise LaunchError(f"{name!r} is no name of a file under the job's folder")

    def wanted(self) -> Mapping[str, Any]:
        """For the machine."""
        return {"kind": "files", "files": dict(self.files)}


@dataclass(frozen=True, slots=True)
class Archive:
    """A zip or tar file at a URL that the machine's own identity may read: s3, gs, az, http(s)."""

    url: str

    def wanted(self) -> Mapping[str, Any]:
        """For the machine."""
        return {"kind": "archive", "url": self.url}


@dataclass(frozen=True, slots=True)
class Git:
    """A revision of a repository that the machine may read without a password."""

    url: str
    revision: str = "HEAD"

    def __post_init__(self) -> None:
        if "@" in self.url.partition("://")[2].partition("/")[0]:
            raise LaunchError(
                "the repository's URL holds a user or password, which would be readable on the machine's page",
                remedy="Use a repository that the machine may read by itself, or an Archive in your bucket.",
            )

    def wanted(self) -> Mapping[str, Any]:
        """For the machine."""
        return {"kind": "git", "url": self.url, "revision": self.revision}


@dataclass(frozen=True, slots=True)
class Image:
    """A container image; the machine's image must have docker."""

    image: str

    def wanted(self) -> Mapping[str, Any]:
        """For the machine."""
        return {"kind": "image", "image": self.image}


Code: TypeAlias = "NoCode | Files | Archive | Git | Image"


def parse_code(code: Code | str | None) -> Code:
    """Of a text: `git+URL@REVISION`, `image:NAME`, the URL of an archive, or the path of a small file of this machine.

    Raises:
        LaunchError: it is none of them.
    """
    if code is None:
        return NoCode()
    if not isinstance(code, str):
        return code
    if code.startswith("git+"):
        url, _, revision = code.removeprefix("git+").rpartition("@")
        return Git(url, revision) if url and "/" not in revision else Git(code.removeprefix("git+"))
    if code.startswith("image:"):
        return Image(code.removeprefix("image:"))
    if "://" in code:
        return Archive(code)
    path = Path(code)
    try:
        return Files({path.name: path.read_text(encoding="utf-8")})
    except (OSError, UnicodeDecodeError) as error:
        raise LaunchError(
            f"the code {code!r} cannot be read: {error}",
            remedy="Name a text file here, git+URL@REVISION, image:NAME, or the URL of a zip or tar file.",
        ) from error
