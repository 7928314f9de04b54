"""A made-up cloud that blobpipes has never heard of: a key-value store, and jobs that run on machines of its own.

Its store is the one place that both sides of a pipe can reach. A job can be given neither environment variables nor
arguments, only a note, which its program asks the cloud for. Everything runs on this machine: `running_cloud` is the
cloud, and `Cloud` the client that both sides import, as they would a vendor's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# --- the client ---------------------------------------------------------------------------------------


class Cloud:
    """What a program can ask of the cloud at `address`."""

    def __init__(self, address: str) -> None:
        self.address = address

    @classmethod
    def of_this_job(cls) -> Cloud:
        """The cloud that this process is a job of. Like every cloud, it tells its jobs where they are."""
        return cls(os.environ.get("CLOUD_ADDRESS", "http://not-in-the-cloud"))

    def get(self, key: str) -> str | None:
        """The value; None where there is none. Every other trouble raises."""
        return self._ask("GET", f"/values/{key}")

    def put(self, key: str, value: str) -> None:
        self._ask("PUT", f"/values/{key}", value)

    def create(self, key: str, value: str) -> None:
        """Put, but raise FileExistsError where there is a value already."""
        try:
            self._ask("POST", f"/values/{key}", value)
        except urllib.error.HTTPError as error:
            if error.code == 409:
                raise FileExistsError(key) from error
            raise

    def delete(self, key: str) -> None:
        self._ask("DELETE", f"/values/{key}")

    def keys(self, prefix: str) -> list[str]:
        found: list[str] = json.loads(self._ask("GET", f"/keys/{prefix}") or "[]")
        return found

    def launch(self, program: Sequence[str], note: Any) -> str:
        """Start a program on some machine of the cloud; the job's name."""
        return self._ask("POST", "/jobs", json.dumps({"program": program, "note": note})) or ""

    def is_running(self, job: str) -> bool:
        """Whether the job runs. Waits for its end a moment before it says yes."""
        return self._ask("GET", f"/jobs/{job}") == "running"

    def note(self) -> Any:
        """What the job that asks was launched with; empty where it is none."""
        job = os.environ.get("CLOUD_JOB")
        return json.loads(self._ask("GET", f"/notes/{job}") or "{}") if job else {}

    def _ask(self, method: str, path: str, body: str | None = None) -> str | None:
        data = None if body is None else body.encode()
        request = urllib.request.Request(self.address + urllib.parse.quote(path), data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text: str = answer.read().decode()
                return text
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise


# --- the cloud ----------------------------------------------------------------------------------------


@dataclass
class Inventory:
    """What the cloud holds, in memory."""

    values: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Requests)
        self.inventory = Inventory()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Requests(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        inventory, (what, _, name) = self.server.inventory, self._path()
        if what == "keys":
            self._answer(200, json.dumps(sorted(key for key in inventory.values if key.startswith(name))))
        elif what == "jobs":
            with suppress(subprocess.TimeoutExpired):
                inventory.jobs[name].wait(0.2)
            self._answer(200, "running" if inventory.jobs[name].poll() is None else "ended")
        else:
            found = (inventory.values if what == "values" else inventory.notes).get(name)
            self._answer(404 if found is None else 200, found or "")

    def do_PUT(self) -> None:
        self.server.inventory.values[self._path()[2]] = self._body()
        self._answer(201)

    def do_POST(self) -> None:
        inventory, (what, _, name) = self.server.inventory, self._path()
        body = self._body()
        if what == "jobs":
            self._answer(201, self._launch(**json.loads(body)))
            return
        with inventory.lock:
            is_new = inventory.values.setdefault(name, body) is body
        self._answer(201 if is_new else 409)

    def do_DELETE(self) -> None:
        self.server.inventory.values.pop(self._path()[2], None)
        self._answer(204)

    def _launch(self, program: Sequence[str], note: Any) -> str:
        inventory = self.server.inventory
        job = f"job-{len(inventory.jobs) + 1}"
        inventory.notes[job] = json.dumps(note)
        environment = {**os.environ, "CLOUD_ADDRESS": self.server.address, "CLOUD_JOB": job}
        inventory.jobs[job] = subprocess.Popen([sys.executable, *program], env=environment)
        return job

    def _path(self) -> tuple[str, str, str]:
        return urllib.parse.unquote(self.path).lstrip("/").partition("/")

    def _body(self) -> str:
        return self.rfile.read(int(self.headers["Content-Length"])).decode()

    def _answer(self, status: int, text: str = "") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def running_cloud() -> Iterator[Cloud]:
    """A new, empty cloud for as long as the block lasts; jobs that are still running then are ended."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        try:
            yield Cloud(server.address)
        finally:
            server.shutdown()
            thread.join()
            for job in server.inventory.jobs.values():
                job.kill()
                job.wait()
