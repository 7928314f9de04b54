"""A real browser without a window: Chromium, told what to do over its own pipe. Neither port nor driver is needed.

The protocol is that of Chrome's developer tools (chromedevtools.github.io/devtools-protocol): JSON texts, each ended by
a zero byte, on the file descriptors 3 (to the browser) and 4 (from it).
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
PATIENCE: Final = 60.0  # seconds that a browser on a busy machine may take for one thing


def browser_program() -> str | None:
    """The path of a Chromium on this machine; None without."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Browser:
    """One browser with one page. Use it in a `with` block; one thread calls it."""

    def __init__(self, program: str, scratch: Path, *, width: int = 1200, height: int = 1000) -> None:
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        options = [
            *("--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-dev-shm-usage", "--disable-background-networking", "--hide-scrollbars"),
            *(f"--user-data-dir={scratch / 'profile'}", f"--window-size={width},{height}", "about:blank"),
        ]
        self._log = (scratch / "browser.log").open("wb")
        # A shell puts the pipes where the browser looks for them: 3 and 4.
        command = ["bash", "-c", f'exec "$0" "$@" 3<&{to_read} 4>&{to_write}', program, *options]
        self._process = subprocess.Popen(
            command, pass_fds=(to_read, to_write), stdout=self._log, stderr=self._log, start_new_session=True
        )
        os.close(to_read)
        os.close(to_write)
        self._buffer = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []  # what the page reported: console lines, errors, requests
        target = self._page_target()
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._to)
        try:
            self._process.wait(10)  # it ends with its pipe
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        os.close(self._from)
        self._log.close()

    # --- what a person does ----------------------------------------------------------------------------

    def open(self, url: str) -> None:
        """Load a page, to the end of its scripts."""
        self.evaluate("window.isOld = true")
        self.events.clear()
        self.ask("Page.navigate", url=url)
        self.wait_until("window.isOld === undefined && document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        """The value of some JavaScript in the page."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_until(self, expression: str) -> Any:
        """Look until the expression is true; its value."""
        return self._until(lambda: self.evaluate(expression), expression)

    def text(self, selector: str) -> str:
        """What a person reads there."""
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def click(self, selector: str) -> None:
        """Press the mouse in the middle of the element."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
        box = self.evaluate(
            f"(() => {{const b = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            " return [b.x + Math.min(b.width / 2, 300), b.y + b.height / 2]})()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def type(self, selector: str, text: str) -> None:
        """Replace what stands in an input by typing."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).select()")
        self.ask("Input.insertText", text=text) if text else self._delete()

    def colours(self, scheme: str) -> None:
        """`light` or `dark`, as the person's system prefers."""
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path: Path, *, height: int | None = None) -> None:
        """The page as a PNG: of its whole length, or of its first `height` pixels."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": height or size["height"], "scale": 1}
        answer = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(answer["data"]))

    @property
    def complaints(self) -> list[str]:
        """Errors of scripts and of the page's policy."""
        told = [event for event in self.events if event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")]
        return [json.dumps(event["params"]) for event in told]

    @property
    def requested(self) -> list[str]:
        """Every URL that the page asked for."""
        sent = [event for event in self.events if event["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]

    # --- the protocol ----------------------------------------------------------------------------------

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """One command to the page, and its answer."""
        return self._ask(method, session=self._session, **params)

    def _ask(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._to, data) :]
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            data = os.read(self._from, 1 << 20)
            if not data:
                raise AssertionError(f"the browser has gone; its log is {self._log.name}")
            self._buffer += data
        text, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(text)
        return found

    def _page_target(self) -> str:
        def look() -> str | None:
            targets = self._ask("Target.getTargets")["targetInfos"]
            return next((each["targetId"] for each in targets if each["type"] == "page"), None)

        return str(self._until(look, "a page"))

    def _until(self, look: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if found := look():
                return found
            time.sleep(0.05)
        raise AssertionError(f"not within {PATIENCE:.0f} s: {what}")

    def _delete(self) -> None:
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key="Delete", code="Delete", windowsVirtualKeyCode=46)
