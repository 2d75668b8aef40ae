"""A page as Chromium shows it, after its scripts have run."""

from __future__ import annotations

import shutil
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--window-size=1200,1200"),
]


def opened(url, folder, *options, seconds=20) -> str:
    """What Chromium prints with these options, such as ``--dump-dom``; ``seconds`` are those of the page's clock."""
    command = [
        CHROMIUM,
        *OPTIONS,
        f"--user-data-dir={folder}",
        f"--virtual-time-budget={seconds * 1000}",
        *options,
        url,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


@contextmanager
def with_cookie(cookie, url):
    """An address that leads to another on this machine, with a cookie set: no one is there to press a button."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(302)
            self.send_header("Set-Cookie", f"{cookie}; Path=/")
            self.send_header("Location", url)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("localhost", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://localhost:{server.server_port}/"
        finally:
            server.shutdown()
