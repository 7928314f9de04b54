"""`faulty::` before any fsspec URL: the same file system, whose requests get lost, late, repeated or refused.

    faulty://seed=7,any=0.2::s3://bucket/prefix        by chance, the same for each seed
    faulty::s3://bucket/prefix                         with storage_options={"faulty": {"faults": Faults(...)}}

The protocol is registered with fsspec by installing blobpipes, so another process needs nothing but the URL. What is
below is real: the errors are those that a client of it would see, and what "was done" was done.
"""

from __future__ import annotations

import asyncio
import errno
import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import fsspec
from fsspec.asyn import AsyncFileSystem

from blobpipes.storage.backends import backend_of
from blobpipes.storage.local_store import LocalStore
from blobpipes.testing.faults import Faults

T = TypeVar("T")
Work = Callable[[], Awaitable[T]]


class FaultyFileSystem(AsyncFileSystem):  # type: ignore[misc]
    """The file system of `target_protocol` under `fo`, through `faults`. One instance for each store."""

    protocol = "faulty"
    cachable = False
    root_marker = ""

    def __init__(
        self,
        faults: Faults | str = "",
        *,
        fo: str = "",
        target_protocol: str = "",
        target_options: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """`faults` as a plan, or as the text of `Faults.parse`; the rest is what fsspec gives to a chain's element.

        Raises:
            ValueError: there is nothing below, or `faults` cannot be understood.
        """
        super().__init__(**options)
        if not target_protocol:
            raise ValueError("faulty:: needs a file system below it: faulty::s3://bucket/prefix")
        self.faults = Faults.parse(faults) if isinstance(faults, str) else faults
        self.target = fsspec.filesystem(target_protocol, **(target_options or {}))
        self._root = str(self.target._strip_protocol(fo)).rstrip("/")
        self._scheme = target_protocol
        self._late: list[tuple[int, str, Work[Any]]] = []  # requests to wait for, path, what to do then

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        if "://" in path:  # the first part holds the faults; `faulty::` alone has none
            path = path.partition("://")[2].partition("/")[2]
        return path.strip("/")

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, Any]:
        text = path.partition("://")[2].partition("/")[0]
        return {"faults": text} if text else {}

    @property
    def atomic_create(self) -> bool:
        """Whether `pipe_file(mode="create")` has exactly one winner, as far as the file system is concerned."""
        return self._is_local or self._scheme == "memory" or backend_of(self._scheme) is not None

    # --- requests -------------------------------------------------------------------------------------

    async def _pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        async def work() -> None:
            if self._is_local:
                self._write_locally(self._below(path), value, mode)
            else:
                await self._ask("pipe_file", self._below(path), value, mode=mode, **options)

        await self._request("put", path, work)

    async def _cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        data: bytes = await self._request("get", path, lambda: self._ask("cat_file", self._below(path), **options))
        return data[start:end]

    async def _info(self, path: str, **options: Any) -> dict[str, Any]:
        info = await self._request("get", path, lambda: self._ask("info", self._below(path), **options))
        return self._shown(info)

    async def _ls(self, path: str, detail: bool = True, **options: Any) -> list[Any]:
        found = await self._request("list", path, lambda: self._ask("ls", self._below(path), detail=True, **options))
        shown = [self._shown(info) for info in found]
        return shown if detail else [info["name"] for info in shown]

    async def _find(
        self, path: str, maxdepth: int | None = None, withdirs: bool = False, detail: bool = False, **options: Any
    ) -> Any:
        options = {**options, "maxdepth": maxdepth, "withdirs": withdirs, "detail": True}
        found = await self._request("list", path, lambda: self._ask("find", self._below(path), **options))
        shown = {self._name(name): self._shown(info) for name, info in dict(found).items()}
        return shown if detail else sorted(shown)

    async def _rm_file(self, path: str, **options: Any) -> None:
        await self._request("delete", path, lambda: self._ask("rm_file", self._below(path), **options))

    async def _rm(self, path: Any, recursive: bool = False, batch_size: int | None = None, **options: Any) -> None:
        for each in await self._expand_path(path, recursive=recursive):
            if await self._isfile(each):
                await self._rm_file(each)

    async def _makedirs(self, path: str, exist_ok: bool = False) -> None:
        await self._ask("makedirs", self._below(path), exist_ok=exist_ok)

    async def _mkdir(self, path: str, create_parents: bool = True, **options: Any) -> None:
        await self._ask("mkdir", self._below(path), create_parents=create_parents, **options)

    async def _put_file(self, lpath: str, rpath: str, mode: str = "overwrite", **options: Any) -> None:
        await self._pipe_file(rpath, Path(lpath).read_bytes(), mode=mode)

    async def _get_file(self, rpath: str, lpath: str, **options: Any) -> None:
        Path(lpath).write_bytes(await self._cat_file(rpath))

    async def _cp_file(self, path1: str, path2: str, **options: Any) -> None:
        await self._pipe_file(path2, await self._cat_file(path1))

    def _open(self, path: str, mode: str = "rb", **options: Any) -> io.BytesIO:
        if mode == "rb":
            return io.BytesIO(self.cat_file(path))
        if mode not in ("wb", "xb"):
            raise NotImplementedError(f"faulty:: opens files as rb, wb and xb, not as {mode}")
        return _PutAtClose(self, path, "create" if mode == "xb" else "overwrite")

    def invalidate_cache(self, path: str | None = None) -> None:
        self.target.invalidate_cache()

    # --- what happens to them -------------------------------------------------------------------------

    async def _request(self, verb: str, path: str, work: Work[T]) -> Any:
        await self._land()
        fault = self.faults.next(verb, path)
        if fault == "late":
            self._late.append((self.faults.patience(path), path, work))
            raise TimeoutError("injected: late")
        if fault == "slow":
            await asyncio.sleep(self.faults.delay)
        refusal = _refusal(fault)
        if refusal is not None:
            raise refusal
        if fault == "false absent":
            if verb == "list":
                return {}
            raise FileNotFoundError(errno.ENOENT, "injected: false absent", path)
        if fault == "duplicated":
            await work()
        result: Any = await work()
        if fault == "reply lost":
            raise ConnectionResetError("injected: reply lost")
        return result[: len(result) // 2] if fault == "torn" and isinstance(result, bytes) else result

    async def _land(self) -> None:
        """What is late, and due, is done now; nobody waits for its answer any more."""
        waiting, self._late = self._late, []
        due = [entry for entry in waiting if entry[0] <= 1]
        self._late += [(left - 1, path, work) for left, path, work in waiting if left > 1]
        for _, path, work in due:
            outcome = (await asyncio.gather(work(), return_exceptions=True))[0]  # whoever asked has long gone
            in_vain = f" in vain: {type(outcome).__name__}" if isinstance(outcome, BaseException) else ""
            self.faults.note(f"put {path}: landed{in_vain}")

    async def _ask(self, verb: str, *args: Any, **options: Any) -> Any:
        if self.target.async_impl:
            return await getattr(self.target, f"_{verb}")(*args, **options)
        return getattr(self.target, verb)(*args, **options)

    # --- names ----------------------------------------------------------------------------------------

    @property
    def _is_local(self) -> bool:
        return self._scheme in ("file", "local")

    def _write_locally(self, path: str, value: bytes, mode: str) -> None:
        """fsspec's own writing shows half a file, and lets two creators win."""
        store = LocalStore(str(Path(path).parent))
        if mode != "create":
            store.put(Path(path).name, value)
        elif not store.put_if_absent(Path(path).name, value):
            raise FileExistsError(errno.EEXIST, "exists", path)

    def _below(self, path: str) -> str:
        path = self._strip_protocol(path)
        return f"{self._root}/{path}" if path else self._root

    def _name(self, below: str) -> str:
        return below[len(self._root) :].strip("/") if below.startswith(self._root) else below

    def _shown(self, info: dict[str, Any]) -> dict[str, Any]:
        return {**info, "name": self._name(info["name"])}


def _refusal(fault: str | None) -> Exception | None:
    """The error of a request that nobody carried out, as a client would raise it."""
    if fault == "request lost":
        return ConnectionResetError("injected: request lost")
    if fault == "denied":
        return PermissionError(errno.EACCES, "injected: denied")
    if fault == "false exists":
        return FileExistsError(errno.EEXIST, "injected: false exists")
    if fault in ("throttled", "conflict"):
        busy = OSError(errno.EBUSY, f"injected: {fault}")
        busy.status = 503 if fault == "throttled" else 409  # type: ignore[attr-defined]  # as aiohttp's errors have it
        return busy
    if fault == "place missing":
        missing = FileNotFoundError(errno.ENOENT, "injected: place missing")
        missing.error_code = "NoSuchBucket"  # type: ignore[attr-defined]  # as the cloud SDKs' errors have it
        return missing
    return None


class _PutAtClose(io.BytesIO):
    """A file that is written: one put, when it is closed."""

    def __init__(self, fs: FaultyFileSystem, path: str, mode: str) -> None:
        super().__init__()
        self._put: Callable[[], None] = lambda: fs.pipe_file(path, self.getvalue(), mode=mode)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is not None:
            super().close()  # what was half written is not put
        self.close()

    def close(self) -> None:
        if not self.closed:
            try:
                self._put()
            finally:
                super().close()
