"""A store behind one function: for message readers whose users wrote only `download_messages_chunk`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future

from blobpipes.chunklog.layout import chunk_number
from blobpipes.errors import StoreDeniedError, StoreError, StoreUnavailableError
from blobpipes.storage.background import run_in_background
from blobpipes.storage.store import ObjectInfo
from blobpipes.storage.url import redact


class HookStore:
    """A `Store` that can only get chunks. The function's None is "not there yet", its exceptions are failures."""

    def __init__(self, download: Callable[[int], str | None], name: str) -> None:
        self._download = download
        self._name = name

    @property
    def url(self) -> str:
        return self._name

    def get(self, key: str) -> bytes | None:
        number = chunk_number(key)
        if number is None:
            return None
        try:
            text = self._download(number)
        except StoreError:
            raise
        except Exception as error:  # whatever library is behind it: only the user could tell its errors apart
            raise StoreUnavailableError(
                f"download_messages_chunk of {self._name} failed at chunk {number}: {type(error).__name__}: "
                f"{redact(str(error))}",
                remedy="Let the hook return None for a chunk that is not there yet, and raise for everything else.",
            ) from error
        return text.encode("utf-8", "surrogatepass") if text else None  # nobody writes an empty chunk

    def start_get(self, key: str) -> Future[bytes | None]:
        return run_in_background(lambda: self.get(key))

    def list(self, prefix: str = "") -> Sequence[ObjectInfo]:
        """Nothing: no hook tells. A hole in the numbers can then not be told from a late chunk."""
        return ()

    def put(self, key: str, data: bytes) -> None:
        raise self._cannot("write")

    def put_if_absent(self, key: str, data: bytes) -> bool:
        raise self._cannot("write")

    def delete(self, key: str) -> None:
        raise self._cannot("delete")

    def _cannot(self, verb: str) -> StoreDeniedError:
        return StoreDeniedError(
            f"{self._name} cannot {verb}", remedy="Use PipesBlobStoreMessageReader(url), which can."
        )
