"""A headless Chromium, driven over DevTools' pipe: it opens a page, and tells all that went wrong with it."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT = 60.0
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe",
)  # fmt: skip
LIGHT, DARK = "light", "dark"
DESK, PHONE = 1200, 390  # CSS pixels


def chromium() -> str | None:
    """The browser's path, where there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass(frozen=True)
class Opened:
    """What a page did when it was opened."""

    errors: tuple[str, ...]  # of scripts, of the page's policy, and in its console
    requests: tuple[str, ...]  # all but the page itself and data inside of it
    width: float  # of its content, in CSS pixels
    seconds: float  # from the navigation's start to the load event
    picture: bytes  # a PNG


class Browser:
    """One browser process. ``with browser(folder) as b``."""

    def __init__(self, process: subprocess.Popen[bytes], read: int, write: int) -> None:
        self._process, self._read, self._write = process, read, write
        self._number, self._rest = 0, b""
        self._events: list[dict[str, Any]] = []

    def open(self, page: Path, *, width: int = DESK, scheme: str = LIGHT, whole: bool = True) -> Opened:
        """Open a file at a width and in a colour scheme; the picture is of all of it, or of what is seen first."""
        target = self._call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self._call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable", {}, session)
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self._call("Emulation.setDeviceMetricsOverride", size, session)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._call("Emulation.setEmulatedMedia", {"features": features}, session)
        self._events.clear()
        failed = self._call("Page.navigate", {"url": page.as_uri()}, session).get("errorText")
        if failed:
            raise RuntimeError(f"{page}: {failed}")
        self._wait("Page.loadEventFired")
        timing = "performance.timing.loadEventEnd - performance.timing.navigationStart"
        seconds = self._evaluate(timing, session) / 1000
        content = self._evaluate("document.documentElement.scrollWidth", session)
        shot = self._call(
            "Page.captureScreenshot", {"captureBeyondViewport": whole, **self._clip(whole, width, session)}, session
        )
        opened = Opened(
            tuple(self._wrong()), tuple(self._asked(page)), content, seconds, base64.b64decode(shot["data"])
        )
        self._call("Target.closeTarget", {"targetId": target})
        return opened

    def _clip(self, whole: bool, width: int, session: str) -> dict[str, Any]:
        if not whole:
            return {}
        height = min(16000, self._evaluate("document.documentElement.scrollHeight", session))
        return {"clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}}

    def _evaluate(self, code: str, session: str) -> Any:
        return self._call("Runtime.evaluate", {"expression": code}, session)["result"]["value"]

    def _wrong(self) -> Iterator[str]:
        for event in self._events:
            told = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                yield told["exceptionDetails"]["text"]
            elif event["method"] == "Log.entryAdded":
                yield told["entry"]["text"]
            elif event["method"] == "Runtime.consoleAPICalled":
                yield f"console.{told['type']}"

    def _asked(self, page: Path) -> Iterator[str]:
        for event in self._events:
            if event["method"] == "Network.requestWillBeSent":
                url = event["params"]["request"]["url"]
                if url != page.as_uri() and not url.startswith("data:"):
                    yield url

    def _call(self, method: str, params: Mapping[str, Any], session: str | None = None) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        os.write(self._write, json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == self._number:
                if "error" in told:
                    raise RuntimeError(f"{method}: {told['error']['message']}")
                return told["result"]
            if "method" in told:
                self._events.append(told)

    def _wait(self, method: str) -> None:
        while not any(e["method"] == method for e in self._events):
            told = self._next()
            if "method" in told:
                self._events.append(told)

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + TIMEOUT
        while b"\0" not in self._rest:
            if not select.select([self._read], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError(f"the browser said nothing for {TIMEOUT:g} seconds")
            part = os.read(self._read, 2**20)
            if not part:
                raise RuntimeError("the browser ended")
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def close(self) -> None:
        """End the process."""
        try:
            os.write(self._write, b'{"id": 0, "method": "Browser.close"}\0')
            self._process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._read)
        os.close(self._write)


@contextmanager
def browser(program: str, folder: Path) -> Iterator[Browser]:
    """A browser with a new, empty profile in ``folder``."""
    to_read, to_write = os.pipe(), os.pipe()  # what it reads, and what it writes

    def place() -> None:  # in the child: DevTools' pipes are its files 3 and 4
        read, write = (fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (to_read[0], to_write[1]))
        os.dup2(read, 3)
        os.dup2(write, 4)

    process = subprocess.Popen(
        [program, *FLAGS, f"--user-data-dir={folder}", "about:blank"],
        preexec_fn=place, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(to_read[0])
    os.close(to_write[1])
    opened = Browser(process, to_write[0], to_read[1])
    try:
        yield opened
    finally:
        opened.close()
