"""The test servers themselves: a bad start is told, nothing outlives its test, nothing is skipped in CI."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from integration_tests.conftest import running
from integration_tests.servers.clouds import Cloud, CloudServer, MissingServerError
from integration_tests.servers.process import ServerProcess, free_port
from integration_tests.waiting import WAIT

DEAF = "import time; print('I listen to nobody', flush=True); time.sleep(600)"


def test_a_server_that_ends_at_once_shows_its_log() -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such option')"]
    with pytest.raises(RuntimeError, match=r"broken ended with status 1; its log:\nno such option"):
        ServerProcess("broken", command, port=free_port()).__enter__()


def test_a_server_that_never_answers_is_given_up_and_ended() -> None:
    server = ServerProcess("deaf", [sys.executable, "-c", DEAF], port=free_port(), start_timeout=1)
    with pytest.raises(RuntimeError, match="deaf is not ready after 1 s; its log:"):
        server.__enter__()
    assert server.pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


def test_a_server_is_gone_after_its_block() -> None:
    port = free_port()
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    with ServerProcess("http", command, port=port) as server:
        urllib.request.urlopen(server.url, timeout=WAIT).close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(server.url, timeout=WAIT)


def test_a_missing_server_skips_with_the_reason_except_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> CloudServer:
        raise MissingServerError("azurite-blob is not installed")

    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="azurite-blob is not installed"):
        next(running(missing))
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI must run every store, but azurite-blob is not installed"):
        next(running(missing))


def test_another_process_reaches_the_place_by_its_url_and_environment_alone(cloud: Cloud) -> None:
    program = f"""
from blobpipes.storage.open import open_store
assert open_store({cloud.url!r}).put_if_absent("1.json", b"from a child")
"""
    bare = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}
    environment = {**bare, "PYTHONPATH": os.pathsep.join(sys.path), **cloud.env}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=WAIT)
    from blobpipes.storage.open import open_store

    assert open_store(cloud.url).get("1.json") == b"from a child"
