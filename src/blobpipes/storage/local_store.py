"""A store in a directory of this machine, or of a disk that several machines mount.

No reader ever sees half an object, and of several writers of one key exactly one wins: an object is
written under a hidden name in the same directory, brought to the disk, and then given its name by a hard
link, which the operating system refuses where the name is taken.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from blobpipes.storage.background import run_in_background
from blobpipes.storage.failures import Kind, as_store_error, classify
from blobpipes.storage.keys import check_key, check_prefix
from blobpipes.storage.store import ObjectInfo

_NO_LINKS: Final = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL)
_AT_FDCWD: Final = -100
_RENAME_NOREPLACE: Final = 1


class LocalStore:
    """Objects are files below `root`, which is created by the first put. Safe for threads and processes."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = Path(root).absolute()
        self.atomic_create = True  # false once the disk turned out to have neither links nor exclusive renames

    @property
    def url(self) -> str:
        return "file://" + self._root.as_posix().replace("?", "%3F")

    def __repr__(self) -> str:
        return f"LocalStore({str(self._root)!r})"

    def put_if_absent(self, key: str, data: bytes) -> bool:
        target = self._root / check_key(key)
        try:
            if target.is_file():
                return False  # spares the disk a file that could not get its name
            temporary = _write_hidden(target, data)
            try:
                return self._give_name(temporary, target)
            finally:
                with suppress(FileNotFoundError):
                    temporary.unlink()
        except OSError as error:
            self._fail("put", key, error)

    def put(self, key: str, data: bytes) -> None:
        target = self._root / check_key(key)
        try:
            temporary = _write_hidden(target, data)
            try:
                temporary.replace(target)
            except OSError:
                temporary.unlink()
                raise
            _sync_directory(target.parent)
        except OSError as error:
            self._fail("put", key, error)

    def get(self, key: str) -> bytes | None:
        try:
            return (self._root / check_key(key)).read_bytes()
        except OSError as error:
            if classify(error).kind is Kind.ABSENT:
                return None
            self._fail("get", key, error)

    def start_get(self, key: str) -> Future[bytes | None]:
        return run_in_background(lambda: self.get(key))

    def list(self, prefix: str = "") -> Sequence[ObjectInfo]:
        top = self._root / check_prefix(prefix).rpartition("/")[0]
        try:
            found = list(self._walk(top, prefix))
        except OSError as error:
            self._fail("list", prefix or "all", error)
        return sorted(found, key=lambda info: info.key)

    def delete(self, key: str) -> None:
        try:
            (self._root / check_key(key)).unlink()
        except OSError as error:
            if classify(error).kind is not Kind.ABSENT:
                self._fail("delete", key, error)

    def _give_name(self, temporary: Path, target: Path) -> bool:
        """Name the finished file, unless the name is taken."""
        try:
            os.link(temporary, target)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno in _NO_LINKS:
                return self._rename(temporary, target)
            if temporary.stat().st_nlink != 2:  # NFS: the link was made, only the reply got lost
                raise
        _sync_directory(target.parent)
        return True

    def _rename(self, temporary: Path, target: Path) -> bool:
        """For disks without hard links: an exclusive rename, else a check and a plain one."""
        try:
            _rename_exclusively(temporary, target)
        except FileExistsError:
            return False
        except OSError:
            self.atomic_create = False
            if target.exists():
                return False
            temporary.replace(target)
        _sync_directory(target.parent)
        return True

    def _walk(self, top: Path, prefix: str) -> Iterator[ObjectInfo]:
        for directory, _, names in os.walk(top, onerror=_raise_unless_gone):
            below = Path(directory).relative_to(self._root)
            for name in names:
                key = (below / name).as_posix()
                if key.startswith(prefix) and not _is_hidden(name):
                    with suppress(FileNotFoundError):  # deleted while we walk
                        yield _describe(key, os.stat(os.path.join(directory, name)))  # noqa: PTH116, PTH118 - quick

    def _fail(self, verb: str, key: str, error: OSError) -> NoReturn:
        failure = classify(error)
        text = error.strerror or type(error).__name__
        raise as_store_error(failure, f"cannot {verb} {key} in {self.url}: {failure.reason} ({text})") from error


def _write_hidden(target: Path, data: bytes) -> Path:
    """The data, on the disk, under a name in `target`'s directory that no listing shows."""
    hidden = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(hidden, flags, 0o666)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(hidden, flags, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise
    return hidden


def _describe(key: str, found: os.stat_result) -> ObjectInfo:
    version = f"{found.st_mtime_ns:x}-{found.st_ino:x}-{found.st_size:x}"
    return ObjectInfo(key, found.st_size, found.st_mtime, version)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") and name.endswith(".tmp")


def _sync_directory(directory: Path) -> None:
    """Bring the new name to the disk as well, where directories can be synced (not on Windows)."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _rename_exclusively(source: Path, target: Path) -> None:
    """Rename, failing with FileExistsError where the target exists; OSError where that cannot be done."""
    if os.name == "nt":
        source.rename(target)  # refuses an existing target on Windows
        return
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if renameat2 is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if renameat2(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(target))


def _raise_unless_gone(error: OSError) -> None:
    if classify(error).kind is not Kind.ABSENT:
        raise error
