"""How long each verb of a store takes, and what it asks of the server: `python -m benchmarks.stores [N]`.

Runs against this machine's disk and memory, and against the servers that the integration tests use, as far as they
are installed. Small objects (1 KiB); medians of N calls (200), in milliseconds. The servers share the machine with
the client, so compare orders of magnitude only.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from blobpipes.storage.open import open_store
from blobpipes.storage.store import Store
from integration_tests.servers.clouds import MissingServerError, azure_server, gcs_server, s3_server
from integration_tests.servers.proxy import Proxy

DATA = b"x" * 1024
Verb = Callable[[Store, int], object]

VERBS: dict[str, Verb] = {
    "put_if_absent": lambda store, n: store.put_if_absent(f"new/{n}", DATA),
    "... exists": lambda store, n: store.put_if_absent(f"new/{n}", DATA),
    "put": lambda store, n: store.put(f"new/{n}", DATA),
    "get": lambda store, n: store.get(f"new/{n}"),
    "... absent": lambda store, n: store.get(f"absent/{n}"),
    "start_get": lambda store, n: store.start_get(f"new/{n}").result(),
    "list (10)": lambda store, n: store.list("new/1"),
    "delete": lambda store, n: store.delete(f"new/{n}"),
}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(f"{'':22}{'open+first':>12}" + "".join(f"{verb:>15}" for verb in VERBS))
    with ExitStack() as stack:
        for name, url, proxy in places(stack):
            measure(name, url, proxy, rounds)


def places(stack: ExitStack) -> Iterator[tuple[str, str, Proxy | None]]:
    yield "file://", stack.enter_context(tempfile.TemporaryDirectory()), None
    yield "memory://", "memory://benchmark", None
    for start in (s3_server, gcs_server, azure_server):
        try:
            server = start()
        except MissingServerError as error:
            print(f"({error})")
            continue
        stack.enter_context(server.process)
        cloud = server.fresh()
        os.environ.update(cloud.env)
        open_store(cloud.url).get("warm-up")  # imports are not what is measured
        yield f"{cloud.scheme}:// {server.process.name}", cloud.url, None
        proxy = stack.enter_context(Proxy(server.process.port))
        os.environ.update(server.through(proxy, cloud).env)
        yield f"{cloud.scheme}:// requests", cloud.url, proxy


def measure(name: str, url: str, proxy: Proxy | None, rounds: int) -> None:
    """One line: medians in milliseconds, or with a proxy the requests of one call."""
    began = time.perf_counter()
    store = open_store(url)
    store.put("first", DATA)
    cells = [f"{1000 * (time.perf_counter() - began):12.1f}" if proxy is None else f"{'':12}"]
    for verb in VERBS.values():
        if proxy is None:
            cells.append(f"{median_ms(store, verb, rounds):15.2f}")
        else:
            proxy.forget()
            verb(store, rounds + 1)
            cells.append(f"{', '.join(asked.method for asked in proxy.asked):>15}")
    print(f"{name:22}" + "".join(cells))


def median_ms(store: Store, verb: Verb, rounds: int) -> float:
    times = []
    for number in range(rounds):
        began = time.perf_counter()
        verb(store, number)
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


if __name__ == "__main__":
    main()
