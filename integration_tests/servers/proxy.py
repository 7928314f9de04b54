"""An HTTP proxy in front of a real server: notes every request, and spoils those that a test picks.

The client is told the proxy's address, so nothing in it is patched; what it does about a lost reply or a 503 is
what it does in the field.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TypeAlias

HANG = "hang"  # no answer until the proxy ends
REQUEST_LOST = "request lost"  # the connection ends before the server hears of it
REPLY_LOST = "reply lost"  # the server does it, then the connection ends


@dataclass(frozen=True)
class Canned:
    """An answer that the server never gave."""

    status: int
    body: bytes = b""
    content_type: str = "application/xml"
    headers: tuple[tuple[str, str], ...] = ()


Fault: TypeAlias = "str | Canned | None"


@dataclass(frozen=True)
class Asked:
    """One request as it arrived, and the status of the answer (0: none)."""

    method: str
    target: str
    status: int


class Proxy:
    """Forwards to `localhost:port`. `faults` are used up by the requests in order; None lets one pass."""

    def __init__(self, port: int) -> None:
        self.asked: list[Asked] = []
        self.faults: deque[Fault] = deque()
        self.ended = threading.Event()
        self.ignores_conditions = False  # the server never hears that a put was meant to create only
        self._lock = threading.Lock()
        self._server = _Server(self, port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="proxy")

    @property
    def url(self) -> str:
        return f"http://localhost:{self._server.server_address[1]}"

    def spoil(self, faults: Iterable[Fault]) -> None:
        self.faults.extend(faults)

    def forget(self) -> None:
        with self._lock:
            self.asked.clear()

    def next_fault(self, method: str, target: str, headers: Mapping[str, str]) -> Fault:
        """What to do to this request; a subclass may go by what is asked, and by whom."""
        with self._lock:
            return self.faults.popleft() if self.faults else None

    def note(self, asked: Asked) -> None:
        with self._lock:
            self.asked.append(asked)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # clients keep connections open; nobody waits for them

    def __init__(self, proxy: Proxy, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy
        self.target_port = port

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is what these tests are about."""


_HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length", "date", "server"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.proxy.next_fault(self.command, self.path, dict(self.headers.items()))
        if fault == HANG:
            self.say_nothing()
            self.server.proxy.ended.wait(60)
        elif fault == REQUEST_LOST:
            self.say_nothing()
        elif isinstance(fault, Canned):
            self.answer(fault.status, [("Content-Type", fault.content_type), *fault.headers], fault.body)
        else:
            self.forward(body, reply=fault != REPLY_LOST)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any  # noqa: N815 - http.server's names

    def forward(self, body: bytes, *, reply: bool) -> None:
        connection = HTTPConnection("127.0.0.1", self.server.target_port, timeout=120)
        try:
            target, asked = self.path, dict(self.headers.items())
            if self.server.proxy.ignores_conditions:
                target = target.replace("ifGenerationMatch=0", "ifGenerationNotMatch=-1")
                asked = {name: value for name, value in asked.items() if name.lower() != "if-none-match"}
            connection.request(self.command, target, body, asked)
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        if not reply:
            self.say_nothing()
            return
        headers = [(name, value) for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP]
        length = response.getheader("Content-Length") if self.command == "HEAD" else None
        self.answer(response.status, headers, data, length=length)

    def say_nothing(self) -> None:
        self.server.proxy.note(Asked(self.command, self.path, 0))
        self.close_connection = True

    def answer(self, status: int, headers: list[tuple[str, str]], body: bytes, *, length: str | None = None) -> None:
        self.server.proxy.note(Asked(self.command, self.path, status))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on stderr: `asked` is the log."""
