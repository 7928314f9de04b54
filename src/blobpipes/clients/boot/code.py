"""Where a machine gets the program from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
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
