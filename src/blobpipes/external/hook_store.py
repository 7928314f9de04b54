"""A store behind one function: for channels whose users wrote only `upload_messages_chunk`.

The engine keeps its promises with it as far as an upload alone can carry them: chunks are repeated with
the same number and text until the function returns. It cannot look at what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from io import StringIO

from blobpipes.chunklog.layout import chunk_number
from blobpipes.errors import FencedError, StoreDeniedError, StoreError, StoreUnavailableError
from blobpipes.storage.store import ObjectInfo
from blobpipes.storage.url import redact


class HookStore:
    """A `Store` that can only put. One thread puts, one chunk after another.

    A `FileExistsError` of the function says that the number is taken: by an earlier call of ours whose
    reply was lost, or else by somebody else, which ends this writer.
    """

    def __init__(self, upload: Callable[[StringIO, int], None], name: str) -> None:
        self._upload = upload
        self._name = name
        self._tried = ""  # the key of the last call, which may have succeeded though it raised

    @property
    def url(self) -> str:
        return self._name

    def put_if_absent(self, key: str, data: bytes) -> bool:
        number = chunk_number(key)
        if number is None:
            raise self._cannot("write anything but chunks")
        is_repeated, self._tried = self._tried == key, key
        try:
            self._upload(StringIO(data.decode("utf-8")), number)
        except FileExistsError as error:
            if is_repeated:
                return True
            raise FencedError(f"{self._name} found a chunk {number} that this process did not write") from error
        except StoreError:
            raise
        except Exception as error:  # whatever library is behind it: only the user could tell them apart
            raise StoreUnavailableError(
                f"{self._name} failed at chunk {number}: {type(error).__name__}: {redact(str(error))}",
                remedy="Correct upload_messages_chunk; it is called again with the same chunk until it returns.",
            ) from error
        return True

    def put(self, key: str, data: bytes) -> None:
        self.put_if_absent(key, data)

    def get(self, key: str) -> bytes | None:
        raise self._cannot("read")

    def start_get(self, key: str) -> Future[bytes | None]:
        future: Future[bytes | None] = Future()
        future.set_exception(self._cannot("read"))
        return future

    def list(self, prefix: str = "") -> Sequence[ObjectInfo]:
        raise self._cannot("list")

    def delete(self, key: str) -> None:
        raise self._cannot("delete")

    def _cannot(self, verb: str) -> StoreDeniedError:
        return StoreDeniedError(
            f"{self._name} cannot {verb}", remedy="Use PipesBlobStoreMessageWriter(url=...), which can."
        )
