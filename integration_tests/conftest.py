"""The stores that integration tests run against: one server per cloud for the whole run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import hypothesis.internal.observability  # noqa: F401 - its plugin would import it when all is over: late threads disturb that
import pytest

from integration_tests.servers.clouds import Cloud, CloudServer, MissingServerError, azure_server, gcs_server, s3_server
from integration_tests.servers.process import PortTakenError
from integration_tests.servers.proxy import Proxy


def pytest_configure(config: pytest.Config) -> None:
    # aiohttp's advice about bodies above 1 MiB; gcsfs and the Azure SDK give it whole bodies, and we cannot change it
    config.addinivalue_line("filterwarnings", "ignore:Sending a large body directly:ResourceWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real processes on a machine that others use too: what hangs is named, what is slow is not."""
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(600))


def running(start: Callable[[], CloudServer]) -> Iterator[CloudServer]:
    """The server for as long as the generator lives. Missing: skipped with the reason, except in CI."""
    try:
        server = entered(start)
    except MissingServerError as error:
        give_up(error)
    try:
        yield server
    finally:
        server.process.stop()


def entered(start: Callable[[], CloudServer], tries: int = 5) -> CloudServer:
    """A running server; on another port where somebody else was faster to take the first."""
    while True:
        server = start()
        try:
            server.process.__enter__()
        except PortTakenError:
            tries -= 1
            if not tries:
                raise
        else:
            return server


def give_up(error: MissingServerError) -> NoReturn:
    """What this machine lacks is a reason to skip, except in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must run every store, but {error}")
    pytest.skip(str(error))


@pytest.fixture(scope="session")
def s3() -> Iterator[CloudServer]:
    yield from running(s3_server)


@pytest.fixture(scope="session")
def gcs() -> Iterator[CloudServer]:
    yield from running(gcs_server)


@pytest.fixture(scope="session")
def azure() -> Iterator[CloudServer]:
    yield from running(azure_server)


@pytest.fixture(params=["s3", "gcs", "azure"])
def cloud_server(request: pytest.FixtureRequest) -> CloudServer:
    """Each of the three in turn."""
    server: CloudServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def cloud(cloud_server: CloudServer, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A fresh place in each of the three clouds in turn; this process's environment reaches it for the test's time."""
    place = cloud_server.fresh()
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)
    return place


@pytest.fixture(params=["file", "s3", "gcs", "azure"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A fresh place on disk, and in each of the three clouds; this process's environment reaches it."""
    if request.param == "file":
        return Cloud("file", f"file://{tmp_path}/place", {}, None)
    place = request.getfixturevalue(request.param).fresh()
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)
    return place


@pytest.fixture
def proxy(cloud_server: CloudServer, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy in front of `cloud`'s server; this process's environment leads through it."""
    with Proxy(cloud_server.process.port) as proxy:
        for name, value in cloud_server.through(proxy, cloud).env.items():
            monkeypatch.setenv(name, value)
        yield proxy


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[pytest.TestReport]:
    """A failed test shows what its server wrote last."""
    report: pytest.TestReport = yield
    server = getattr(item, "funcargs", {}).get("cloud_server")
    if report.failed and server is not None:
        report.sections.append((f"log of {server.process.name}", server.process.log()))
    return report
