"""The metadata services of the clouds, on loopback: a role's credentials, and notices of an interruption."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CREDENTIALS = {
    "Code": "Success",
    "Type": "AWS-HMAC",
    "AccessKeyId": "AKIATESTTESTTESTTEST",
    "SecretAccessKey": "secret-of-a-role",
    "Token": "token-of-a-role",
    "LastUpdated": "2026-01-01T00:00:00Z",
    "Expiration": "2036-01-01T00:00:00Z",
}
ROLES = "/latest/meta-data/iam/security-credentials/"


class MetadataService:
    """A context manager."""

    def __init__(self) -> None:
        self.asked_for_credentials = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> MetadataService:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, token: str | None) -> tuple[int, str]:
        if path == "/latest/api/token":
            return (200, "a-token") if method == "PUT" else (405, "")
        if not path.startswith("/latest/"):
            return 404, ""
        if token != "a-token":
            return 401, ""
        if path == ROLES:
            return 200, "the-job\n"
        if path == ROLES + "the-job":
            self.asked_for_credentials += 1
            return 200, json.dumps(CREDENTIALS)
        return 404, ""


def handler_of(service: MetadataService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            status, text = service.answer(self.command, self.path, self.headers.get("X-aws-ec2-metadata-token"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_PUT = _serve  # noqa: N815 - the base class's names

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler
