"""The built book, a local server for folders, and Chromium."""

import functools
import http.server
import os
import shutil
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
NAMES += ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"]
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync""".split()


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built book."""
    if not (SITE / "index.html").exists():
        pytest.fail("there is no book in _build/html: run `make book` first")
    return SITE


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@contextmanager
def served(folder: Path):
    """The folder's address on this machine, while the block lasts."""
    handler = functools.partial(_Silent, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.fixture(scope="session")
def serve():
    """`with serve(folder) as address: ...`"""
    return served


@pytest.fixture(scope="session")
def chromium():
    """A running Chromium; without one the test is skipped, or fails where LSTM_BOOK_REQUIRE_BROWSER is set."""
    wanted = [os.environ["LSTM_BOOK_BROWSER"]] if "LSTM_BOOK_BROWSER" in os.environ else NAMES
    path = next(filter(None, map(shutil.which, wanted)), None)
    if path is None:
        message = (
            "no Chromium found, so nobody looked at the pages in a browser; on Debian: apt-get install chromium, "
            "elsewhere name one with LSTM_BOOK_BROWSER=/path"
        )
        if os.environ.get("LSTM_BOOK_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def context(chromium):
    """One reader's browser: what one page fetched, the next finds at hand."""
    context = chromium.new_context()
    yield context
    context.close()
