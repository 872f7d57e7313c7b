"""What stands before a dashboard server that is open to others: who does not say the token is not let in."""

from __future__ import annotations

import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError


class Doorkeeper:
    """Passes requests on to the server at `url` that bear `token`; answers 401 to all others."""

    def __init__(self, url: str, token: str) -> None:
        self.let_in = 0
        self.turned_away = 0
        doorkeeper = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(None)

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["Content-Length"])))

            def _answer(self, body: bytes | None) -> None:
                if self.headers["Authorization"] != f"Bearer {token}":
                    doorkeeper.turned_away += 1
                    self._say(401, b"")
                    return
                doorkeeper.let_in += 1
                kept = {name: self.headers[name] for name in ("Content-Type", "Content-Encoding") if self.headers[name]}
                try:
                    with urllib.request.urlopen(urllib.request.Request(url + self.path, body, kept)) as response:
                        self._say(response.status, response.read())
                except HTTPError as error:
                    self._say(error.code, error.read())

            def _say(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Nothing to tell."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, name="doorkeeper")
        self._thread.start()

    def __enter__(self) -> Doorkeeper:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
