"""The folder of one supervised run: its messages file, and how far that file has been taken.

It lies beside the spools and outlives a supervisor that is killed. What the program had written and nobody had
taken yet is then still in the file, and `blobpipes resend` sends it.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_PREFIX: Final = "exec-"
_MESSAGES: Final = "messages.jsonl"
_ABOUT: Final = "run.json"
_POSITION: Final = "position"
_LOCK: Final = "lock"
_MARK: Final = struct.Struct("<QQQ")  # offsets before and after the line at hand; messages accepted before it


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the messages file has been taken, in bytes from its beginning."""

    start: int  # everything before was accepted
    end: int  # equal to `start`, or the end of a line of which only the journal knows whether it was accepted
    accepted: int  # messages that the run had accepted, from whatever source, when that line was taken up


class RunPlace:
    """One run's folder. The operating system releases it when the supervisor dies, however it dies."""

    def __init__(self, directory: Path) -> None:
        """Take the folder, which must exist, for this process alone.

        Raises:
            BlockingIOError: its supervisor lives.
            OSError: the disk does not allow it.
        """
        self.directory = directory
        self.messages = directory / _MESSAGES
        self._lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise
        self._position = os.open(directory / _POSITION, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def describe(self, about: Mapping[str, Any]) -> None:
        """Write down, completely or not at all, which log this run belongs to. No secrets."""
        beside = self.directory / f"{_ABOUT}.tmp"
        beside.write_text(json.dumps(dict(about)))
        beside.replace(self.directory / _ABOUT)

    def about(self) -> dict[str, Any]:
        """What `describe` wrote; empty if nothing was."""
        try:
            found = json.loads((self.directory / _ABOUT).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def mark(self, start: int, end: int, accepted: int) -> None:
        """Note what is being taken: one small write, which a killed process has made or not."""
        with suppress(OSError):  # a full disk: the run goes on, only its resumption would repeat lines
            os.pwrite(self._position, _MARK.pack(start, end, accepted), 0)

    def marked(self) -> Mark:
        """What `mark` noted last."""
        data = os.pread(self._position, _MARK.size, 0)
        return Mark(*_MARK.unpack(data)) if len(data) == _MARK.size else Mark(0, 0, 0)

    def remove(self) -> None:
        """Everything is delivered: leave nothing behind."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def release(self) -> None:
        """Let go of the folder."""
        os.close(self._position)
        os.close(self._lock)


def is_run_place(directory: Path) -> bool:
    """Whether this is the folder of a supervised run, by its name."""
    return directory.name.startswith(_PREFIX)


def new_place(root: Path) -> RunPlace:
    """A folder for a new run below `root`, which is made if it is missing.

    Raises:
        OSError: the disk does not allow it.
    """
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    directory = root / f"{_PREFIX}{secrets.token_hex(8)}"
    directory.mkdir(mode=0o700)
    place = RunPlace(directory)
    place.messages.touch(mode=0o600)
    return place
