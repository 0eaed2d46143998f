"""Driver of a real JupyterLab in headless Chromium: `lab()` serves a folder, `chromium()` a page.

The status bar says "idle" before the kernel is connected, and Run All then does nothing. So the
driver reads the state of the session, through `window.jupyterapp`, which the option
`--LabApp.expose_app_in_browser=True` creates.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Lab", "Page", "chromium", "lab", "missing", "write_notebook"]

PATIENCE_MS = 60_000
HERE = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:", "about:", "chrome-extension:")
ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
CONNECTED = """async () => {
  const w = window.jupyterapp?.shell?.currentWidget;
  if (!w?.sessionContext) return false;
  await w.context.ready; await w.sessionContext.ready;
  const k = w.sessionContext.session?.kernel;
  return k?.connectionStatus === 'connected' && k?.status === 'idle';
}"""
EXECUTED = """() => {
  const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputArea-prompt')];
  return prompts.length > 0 && prompts.every(p => /^\\[\\d+\\]:$/.test(p.textContent.trim()));
}"""


def browser_path() -> str | None:
    """A Chromium or Chrome of this machine; WORKBENCH_CHROMIUM names another one."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return os.environ.get("WORKBENCH_CHROMIUM") or next(
        filter(None, map(shutil.which, names)), None
    )


def missing() -> str:
    """The missing part of a browser test and how to install it; empty if there is none."""
    try:
        import jupyterlab
        import playwright.sync_api
    except ImportError as error:
        return f'no {error.name}: python -m pip install "model-optimization-workbench[test]"'
    del jupyterlab, playwright
    if browser_path() is None:
        return (
            "no Chromium: sudo apt-get install chromium, or set WORKBENCH_CHROMIUM to the path of "
            "one"
        )
    return ""


@dataclass(frozen=True)
class Lab:
    """A running server."""

    url: str
    token: str
    folder: Path
    log: Path

    def address(self, notebook: str) -> str:
        return f"{self.url}/lab/tree/{notebook}?token={self.token}&reset"


@contextmanager
def lab(folder: Path, *, dark: bool = False, env: dict[str, str] | None = None) -> Iterator[Lab]:
    """Serve a folder with its own settings, none of the user's.

    The server and its kernels end with the block.
    """
    with tempfile.TemporaryDirectory() as scratch:
        config, token = Path(scratch), "browser-test"
        _write_overrides(config, "JupyterLab Dark" if dark else "JupyterLab Light")
        port, log = _free_port(), folder / "lab.log"
        command = [
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            "--allow-root",
            "--ip=127.0.0.1",
            f"--port={port}",
            f"--IdentityProvider.token={token}",
            f"--ServerApp.root_dir={folder}",
            "--LabApp.expose_app_in_browser=True",
        ]
        with log.open("w", encoding="utf-8") as out:
            surroundings = _environment(config, env or {})
            process = subprocess.Popen(
                command, cwd=folder, stdout=out, stderr=subprocess.STDOUT, env=surroundings
            )
            try:
                _wait_for(f"http://127.0.0.1:{port}/api", process, log)
                yield Lab(f"http://127.0.0.1:{port}", token, folder, log)
            finally:
                process.terminate()  # the server shuts its kernels down
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


@dataclass
class Page:
    """A page of the browser, its requests to other machines, and the errors of its console."""

    playwright: Any
    strangers: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open_notebook(self, server: Lab, name: str) -> None:
        """Open a notebook and wait until its kernel takes commands."""
        self.playwright.goto(server.address(name))
        self._connected()

    def reload(self) -> None:
        """Save the notebook and load the page again."""
        self.save()
        self.playwright.reload()
        self._connected()

    def save(self) -> None:
        """Save the open notebook."""
        self.playwright.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def run_all(self, *, timeout_seconds: float = 120) -> None:
        """Run all cells and wait until each has been executed."""
        self.playwright.evaluate(
            "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"
        )
        self.playwright.wait_for_function(EXECUTED, timeout=1000 * timeout_seconds)

    def screenshot(self, path: Path, selector: str = "") -> Path:
        """A picture of the page, or of the first element that matches."""
        path.parent.mkdir(parents=True, exist_ok=True)
        (self.playwright.locator(selector).first if selector else self.playwright).screenshot(
            path=str(path)
        )
        return path

    def wait_for_points(self, n: int, *, timeout_ms: int = 60_000) -> None:
        """Wait until the first live chart has more than `n` points; an error says how many."""
        points = "document.querySelector('.wb-chart .wb-live')?.dataset.n"
        deadline = time.monotonic() + timeout_ms / 1000
        while not (self.playwright.evaluate(f"() => +{points} > {n}")):
            if time.monotonic() > deadline:
                held = self.playwright.evaluate(f"() => {points} ?? 'no chart'")
                raise AssertionError(f"the chart has {held} points, not more than {n}")
            time.sleep(0.2)

    def own_errors(self) -> list[str]:
        """Console errors, without those that JupyterLab itself logs without a network."""
        noise = ("favicon", "lsp", "translations")
        return [e for e in self.errors if not any(word in e for word in noise)]

    def _connected(self) -> None:
        self.playwright.locator(".jp-Notebook").wait_for(timeout=PATIENCE_MS)
        self.playwright.wait_for_function(CONNECTED, timeout=PATIENCE_MS)


@contextmanager
def chromium(*, width: int = 1400, height: int = 1200) -> Iterator[Page]:
    """A headless browser with one page, closed at the end of the block."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=browser_path(), headless=True, args=list(ARGS)
        )
        try:
            tab = browser.new_context(viewport={"width": width, "height": height}).new_page()
            page = Page(tab)
            tab.on("request", lambda request: _note_stranger(page, request.url))
            tab.on("console", lambda message: _note_error(page, message))
            tab.on("pageerror", lambda error: page.errors.append(str(error)))
            # the dialog "leave this page?" would wait for ever
            tab.on("dialog", lambda dialog: dialog.accept())
            yield page
        finally:
            browser.close()


def write_notebook(path: Path, *cells: str) -> Path:
    """A notebook with these code cells."""
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nbformat.write(notebook, path)
    return path


def _note_stranger(page: Page, url: str) -> None:
    if not url.startswith(HERE):
        page.strangers.append(url)


def _note_error(page: Page, message: Any) -> None:
    if message.type == "error":
        page.errors.append(f"{message.text} {message.location.get('url', '')}")


def _write_overrides(config: Path, theme: str) -> None:
    overrides = {
        "@jupyterlab/apputils-extension:notification": {
            "fetchNews": "false",
            "checkForUpdates": False,
        },
        "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
        # as in binder/: handlers of widgets run in the kernel's main thread, one after the other
        "@jupyterlab/apputils-extension:kernels-settings": {"commsOverSubshells": "disabled"},
        "@jupyterlab/apputils-extension:themes": {"theme": theme},
    }
    (config / "labconfig").mkdir()
    (config / "labconfig" / "default_setting_overrides.json").write_text(
        json.dumps(overrides), encoding="utf-8"
    )


def _environment(config: Path, extra: dict[str, str]) -> dict[str, str]:
    """The environment of the server: this Python first, none of the user's settings or kernels."""
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "JUPYTER_PLATFORM_DIRS": "1",
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_DATA_DIR": str(config / "data"),
        "JUPYTERLAB_SETTINGS_DIR": str(config / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(config / "workspaces"),
        **extra,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(
    url: str, process: subprocess.Popen[bytes], log: Path, *, seconds: float = 60
) -> None:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None:
                break
            time.sleep(0.1)
    raise RuntimeError("JupyterLab did not start:\n" + log.read_text(encoding="utf-8")[-3000:])
