"""Serve _build/html on this machine alone and open it in the browser; Ctrl-C ends it."""

import functools
import http.server
import os
import webbrowser
from pathlib import Path

HTML = Path(__file__).resolve().parent.parent / "_build" / "html"
FIRST_PORT, TRIES = 8000, 50


class Server(http.server.ThreadingHTTPServer):
    """Takes a port at once after its last use, but never one that is still in use."""

    allow_reuse_address = os.name != "nt"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Prints only what went wrong."""

    def log_request(self, code="-", size="-"):
        if str(code).isdigit() and int(code) >= 400:
            super().log_request(code, size)


def open_server(folder: Path, first_port: int = FIRST_PORT) -> Server:
    """A server for `folder` on 127.0.0.1, at the first free port from `first_port` on."""
    handler = functools.partial(Quiet, directory=str(folder))
    for port in range(first_port, first_port + TRIES):
        try:
            return Server(("127.0.0.1", port), handler)
        except OSError:
            print(f"Port {port} is in use, trying the next one.")
    raise SystemExit(f"No free port between {first_port} and {first_port + TRIES - 1}.")


def main() -> None:
    """Serve until interrupted."""
    if not (HTML / "index.html").exists():
        raise SystemExit("There is no book in _build/html yet:  make book")
    with open_server(HTML) as server:
        address = f"http://127.0.0.1:{server.server_port}/"
        print(f"The book: {address}   (Ctrl-C ends the server)", flush=True)
        webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nStopped.")


if __name__ == "__main__":
    main()
