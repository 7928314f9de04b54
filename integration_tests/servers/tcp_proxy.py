"""A TCP proxy in front of a real server: cuts, delays and half-closes connections. It knows nothing of HTTP.

`proxy.py` spoils whole requests and answers; here they end in the middle of a byte stream, as when a gateway restarts.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType


@dataclass(frozen=True)
class Line:
    """What happens to one connection. None: it is carried to its end."""

    request_bytes: int | None = None  # the client's bytes that reach the server until the line breaks
    reply_bytes: int | None = None  # the server's bytes that reach the client until the line breaks
    delay: float = 0.0  # seconds before the first byte goes on
    is_half_closed: bool = False  # a break is an orderly end of that direction alone, not a reset of both


REFUSED = Line(request_bytes=0)
REQUEST_CUT = Line(request_bytes=8)  # within the request line: moto takes headers that end early for whole ones
REPLY_LOST = Line(reply_bytes=0)
REPLY_CUT = Line(reply_bytes=40)  # within the status line and headers
REQUEST_HALF_CLOSED = Line(request_bytes=8, is_half_closed=True)
REPLY_HALF_CLOSED = Line(reply_bytes=60, is_half_closed=True)
DELAYED = Line(delay=0.3)
BREAKS = (REFUSED, REQUEST_CUT, REPLY_LOST, REPLY_CUT, REQUEST_HALF_CLOSED, REPLY_HALF_CLOSED)


class TcpProxy:
    """Forwards to `localhost:port`. `lines` are used up by the connections in order; then all are carried."""

    def __init__(self, port: int) -> None:
        self.lines: deque[Line] = deque()
        self.carried: list[Line] = []  # of each connection
        self._port = port
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, name="tcp-proxy")

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def spoil(self, lines: Iterable[Line]) -> None:
        self.lines.extend(lines)

    @property
    def broken(self) -> int:
        """How many connections broke."""
        return sum(line in BREAKS for line in self.carried)

    def __enter__(self) -> TcpProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes whoever accepts; closing alone does not
        self._thread.join()
        self._listener.close()
        with self._lock:
            for each in self._open:
                _shut(each, socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # the proxy ends
            with self._lock:
                line = self.lines.popleft() if self.lines else Line()
                self.carried.append(line)
                self._open.add(client)
            threading.Thread(target=self._carry, args=(client, line), daemon=True).start()

    def _carry(self, client: socket.socket, line: Line) -> None:
        server = socket.create_connection(("127.0.0.1", self._port))
        with self._lock:
            self._open.add(server)
        is_reset = threading.Event()
        reply = threading.Thread(target=_pump, args=(server, client, line.reply_bytes, line, is_reset), daemon=True)
        reply.start()
        _pump(client, server, line.request_bytes, line, is_reset)
        reply.join()
        with self._lock:
            self._open -= {client, server}
        for end in (client, server):
            if is_reset.is_set():  # with this, the other side gets RST instead of an orderly end
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()


def _pump(
    source: socket.socket, target: socket.socket, limit: int | None, line: Line, is_reset: threading.Event
) -> None:
    """Carry one direction until its end or its break. An end is passed on; a reset ends both directions."""
    left = limit
    is_reset.wait(line.delay)
    try:
        while left != 0 and (data := source.recv(65536 if left is None else min(left, 65536))):
            target.sendall(data)
            left = left - len(data) if left is not None else None
    except OSError:
        is_reset.set()  # one of the two did that
    if left == 0 and not line.is_half_closed:
        is_reset.set()
    if is_reset.is_set():
        _shut(source, socket.SHUT_RD)  # wakes whoever still reads, and says nothing to the other side
        _shut(target, socket.SHUT_RD)
    else:
        _shut(target, socket.SHUT_WR)


def _shut(end: socket.socket, how: int) -> None:
    try:
        end.shutdown(how)
    except OSError:
        return  # it has no other side any more
