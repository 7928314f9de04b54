"""Whole sessions while connections to S3 are cut, delayed and half-closed, in the middle of requests and replies."""

from __future__ import annotations

import random
import socket
import urllib.error
import urllib.request
from http.client import HTTPException

import pytest

from integration_tests.servers.clouds import Cloud, CloudServer
from integration_tests.servers.tcp_proxy import (
    BREAKS,
    DELAYED,
    REFUSED,
    REPLY_CUT,
    REPLY_HALF_CLOSED,
    REPLY_LOST,
    REQUEST_CUT,
    REQUEST_HALF_CLOSED,
    Line,
    TcpProxy,
)
from integration_tests.sessions.jobs import Start, pace, session_at
from integration_tests.waiting import WAIT

pytestmark = pytest.mark.parametrize("cloud_server", ["s3"], indirect=True)


def broken_lines(seed: int, length: int = 12) -> list[Line]:
    chances = random.Random(seed)
    return [chances.choice((Line(), Line(), DELAYED, *BREAKS)) for _ in range(length)]


@pytest.mark.parametrize(
    ("line", "most", "is_orderly"),
    [
        (Line(), 10**9, True),
        (REFUSED, 0, False),
        (REQUEST_CUT, 0, False),
        (REPLY_LOST, 0, False),
        (REPLY_CUT, 40, False),
        (REPLY_HALF_CLOSED, 60, True),
    ],
)
def test_a_line_breaks_where_it_says(cloud_server: CloudServer, line: Line, most: int, is_orderly: bool) -> None:
    with TcpProxy(cloud_server.process.port) as proxy:
        proxy.spoil([line])
        reply, ended_orderly = ask(proxy)
        assert (len(reply) <= most, ended_orderly) == (True, is_orderly)
        assert ask(proxy)[0].startswith(b"HTTP/1.1 200 OK")
        assert proxy.carried == [line, Line()]


def ask(proxy: TcpProxy) -> tuple[bytes, bool]:
    """All that comes for one request, and whether it ended in order."""
    reply = b""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT) as line:
        try:
            line.sendall(b"GET /moto-api/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while data := line.recv(65536):
                reply += data
        except (ConnectionResetError, BrokenPipeError):
            return reply, False
    return reply, True


def test_a_request_that_ends_early_is_not_carried_out(cloud_server: CloudServer, cloud: Cloud) -> None:
    with TcpProxy(cloud_server.process.port) as proxy:
        proxy.spoil([REQUEST_HALF_CLOSED])
        request = urllib.request.Request(proxy.url + "/not-made", method="PUT")
        with pytest.raises((HTTPException, OSError)):
            urllib.request.urlopen(request, timeout=WAIT).read()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(proxy.url + "/not-made", timeout=WAIT)


def test_a_job_behind_lines_that_break_delivers_everything_once(
    cloud_server: CloudServer, cloud: Cloud, start: Start
) -> None:
    with TcpProxy(cloud_server.process.port) as proxy, session_at(cloud) as session:
        proxy.spoil([Line(), REPLY_HALF_CLOSED, REQUEST_CUT, REPLY_LOST, *broken_lines(3)])  # first: the context
        assert pace(start(session, 100, dict(cloud_server.through(proxy, cloud).env))) == 0
        assert proxy.broken >= 3
    assert session.get_custom_messages() == tuple(range(100))
    assert session.report.verdict == "complete"


def test_a_reader_behind_lines_that_break_gets_everything_once(
    cloud_server: CloudServer, cloud: Cloud, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct = dict(cloud.env)
    with TcpProxy(cloud_server.process.port) as proxy:
        for name, value in cloud_server.through(proxy, cloud).env.items():
            monkeypatch.setenv(name, value)
        with session_at(cloud) as session:
            proxy.spoil([REPLY_HALF_CLOSED, REPLY_LOST, *broken_lines(7)])
            assert pace(start(session, 100, direct)) == 0
        assert proxy.broken >= 2
    assert session.get_custom_messages() == tuple(range(100))
    assert session.report.verdict == "complete"
