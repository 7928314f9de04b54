"""The page's way to the disk: whole or not at all, and refused before anything is read where it cannot be written."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from blobpipes.cli.exit_codes import CommandError


def check_writable(path: Path) -> None:
    """Refuse at once what could not be written at the end.

    Raises:
        CommandError: the path is a folder, its folder is missing, or this user may not write there.
    """
    folder = path.absolute().parent
    if path.is_dir():
        raise CommandError(f"{path} is a folder", remedy="Name a file in it, such as session.html.")
    if not folder.is_dir():
        raise CommandError(f"there is no folder {folder}", remedy="Make it first, or name another file.")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _refused(path, error) from error


def write_whole(path: Path, data: bytes) -> None:
    """Write the file beside its place, and put it there.

    Raises:
        CommandError: the disk is full, or this user may not write there.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).chmod(0o666 & ~_umask())  # as any program would have made it
            Path(name).replace(path)
        except BaseException:
            with suppress(FileNotFoundError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise _refused(path, error) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _refused(path: Path, error: OSError) -> CommandError:
    return CommandError(
        f"{path} cannot be written: {error.strerror or error}", remedy="Name a file in a folder that you may write to."
    )
