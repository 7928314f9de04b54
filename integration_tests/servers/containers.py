"""Docker's interface, as far as the simulated AWS Batch uses it; a "container" is a process of this machine.

Batch's simulation schedules jobs and follows their containers; all that it lacks here is a Docker daemon. So it is
given this server as DOCKER_HOST. An image is a name only: the process sees this machine's files.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

MISSING = "no-such-image"  # an image with this in its name cannot be pulled


@dataclass
class Container:
    config: dict[str, Any]
    name: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex * 2)
    process: subprocess.Popen[bytes] | None = None
    logs: Path = field(default_factory=lambda: Path(tempfile.mkstemp(prefix="container-")[1]))

    def start(self, base: dict[str, str]) -> None:
        given = dict(pair.partition("=")[::2] for pair in self.config.get("Env") or [])
        with self.logs.open("wb") as out:
            self.process = subprocess.Popen(
                self.config["Cmd"],
                env={**base, **given},
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def state(self) -> dict[str, Any]:
        code = self.process.poll() if self.process else None
        running = self.process is not None and code is None
        status = "running" if running else "created" if self.process is None else "exited"
        return {"Status": status, "Running": running, "ExitCode": exit_code(code or 0)}

    def kill(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


def exit_code(code: int) -> int:
    """As Docker tells it: 128 and the signal's number."""
    return 128 - code if code < 0 else code


class Containers:
    """The server; a context manager."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env  # what each container's process has besides its own variables
        self.containers: dict[str, Container] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self._server.daemon_threads = True

    @property
    def docker_host(self) -> str:
        return f"tcp://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Containers:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for container in list(self.containers.values()):
            container.kill(signal.SIGKILL)
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if path == "/_ping":
            return 200, "OK"
        if path == "/version":
            return 200, {"ApiVersion": "1.44", "Version": "0"}
        if path == "/images/create":
            return (404, {"message": "no such image"}) if MISSING in query["fromImage"] else (200, {"status": "pulled"})
        if path.startswith("/images/"):
            return 200, {"Id": path.split("/")[2], "RepoTags": []}
        if path == "/containers/create":
            if MISSING in body["Image"]:
                return 404, {"message": f"no such image: {body['Image']}"}
            made = Container(body, query.get("name", ""))
            self.containers[made.id] = made
            return 201, {"Id": made.id, "Warnings": []}
        found = re.fullmatch(r"/containers/(\w+)(?:/(\w+))?", path)
        if found is None or found[1] not in self.containers:
            return 404, {"message": f"no such container: {path}"}
        return self._of_container(self.containers[found[1]], method, found[2], query)

    def _of_container(
        self, container: Container, method: str, verb: str | None, query: dict[str, str]
    ) -> tuple[int, Any]:
        if method == "DELETE":
            container.kill(signal.SIGKILL)
            return 204, None
        if verb == "start":
            container.start(self.env)
        elif verb == "kill":
            container.kill(int(query.get("signal") or signal.SIGKILL))
        elif verb == "wait":
            assert container.process is not None
            container.process.wait()
            return 200, {"StatusCode": container.state()["ExitCode"]}
        elif verb == "logs":
            return 200, b""  # what the jobs here have to say, they say in their sessions
        elif verb == "json":
            return 200, {
                "Id": container.id,
                "Name": container.name,
                "State": container.state(),
                "Config": container.config,
            }
        return 204, None


def handler_of(containers: Containers) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            sent = self.rfile.read(length)
            parts = urlsplit(self.path)
            path = re.sub(r"^/v[\d.]+", "", parts.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            status, answer = containers.answer(self.command, path, query, json.loads(sent) if sent else None)
            body = answer if isinstance(answer, bytes) else b"" if answer is None else _encoded(answer)
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if isinstance(answer, dict) else "text/plain")
            self.send_header("Api-Version", "1.44")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815 - the base class's names

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    return Handler


def _encoded(answer: Any) -> bytes:
    return (json.dumps(answer) if isinstance(answer, dict) else str(answer)).encode()
