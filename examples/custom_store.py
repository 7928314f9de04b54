"""A store of your own: messages through a service that no URL of fsspec names.

The service is a key-value store over HTTP, PUT and GET, thirty lines of which are here. Each side of the pipe needs
one hook: the job's writer stores a chunk, the orchestration process's reader fetches one. Order, numbers, retries and
the end of the stream are blobpipes' work.

    python custom_store.py
"""

from __future__ import annotations

import secrets
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO

from blobpipes import (
    PipesBlobStoreMessageReader,
    PipesBlobStoreMessageWriter,
    PipesBlobStoreMessageWriterChannel,
    PipesEnvContextInjector,
    PipesParams,
    PipesSubprocessClient,
    RunContext,
    open_dagster_pipes,
)

# --- the job's side -----------------------------------------------------------------------------------


class KeyValueMessageWriter(PipesBlobStoreMessageWriter["KeyValueChannel"]):
    """Writes chunks to the key-value service that the params name."""

    def make_channel(self, params: PipesParams) -> KeyValueChannel:
        return KeyValueChannel(params["service"], params["key_prefix"], interval=0.2)


class KeyValueChannel(PipesBlobStoreMessageWriterChannel):
    def __init__(self, service: str, key_prefix: str, *, interval: float) -> None:
        super().__init__(interval=interval)
        self._address = f"{service}/{key_prefix}"

    def upload_messages_chunk(self, payload: StringIO, index: int) -> None:
        """Called again with the same chunk if it raises."""
        chunk = urllib.request.Request(f"{self._address}/{index}", payload.read().encode(), method="PUT")
        with urllib.request.urlopen(chunk, timeout=10):
            pass


def job() -> None:
    with open_dagster_pipes(message_writer=KeyValueMessageWriter()) as pipes:
        for number in range(3):
            pipes.log.info("message %d", number)
        pipes.report_asset_materialization(metadata={"messages": 3})


# --- the orchestration process's side -----------------------------------------------------------------


class KeyValueMessageReader(PipesBlobStoreMessageReader):
    """Reads chunks from a key-value service, under a new prefix for each session."""

    def __init__(self, service: str, *, interval: float) -> None:
        super().__init__(interval=interval)
        self._service = service

    @contextmanager
    def get_params(self) -> Iterator[PipesParams]:
        yield {"service": self._service, "key_prefix": secrets.token_hex(8)}

    def download_messages_chunk(self, index: int, params: PipesParams) -> str | None:
        """None while the chunk is not there. Every other trouble is raised, and the chunk asked for again."""
        try:
            with urllib.request.urlopen(f"{params['service']}/{params['key_prefix']}/{index}", timeout=10) as answer:
                text: str = answer.read().decode()
                return text
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise


def orchestrate(service: str) -> list[str]:
    """What the job reports, through the service."""
    client = PipesSubprocessClient(
        context_injector=PipesEnvContextInjector(), message_reader=KeyValueMessageReader(service, interval=0.2)
    )
    context = RunContext(asset_keys=["messages"])
    invocation = client.run(context=context, command=[sys.executable, __file__, "job"])
    return [*map(str, invocation.get_results()), invocation.report.summary()]


# --- the service --------------------------------------------------------------------------------------


class KeyValueService(BaseHTTPRequestHandler):
    """PUT /key and GET /key, in memory."""

    values: dict[str, bytes] = {}  # noqa: RUF012 - one service, one memory

    def do_PUT(self) -> None:
        self.values[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(201, b"")

    def do_GET(self) -> None:
        value = self.values.get(self.path)
        self._answer(404 if value is None else 200, value or b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def running_service() -> Iterator[str]:
    """Gives the address of a new service of this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), KeyValueService) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


if __name__ == "__main__":
    if sys.argv[1:] == ["job"]:
        job()
    else:
        with running_service() as address:
            print(*orchestrate(address), sep="\n")
