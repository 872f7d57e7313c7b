"""The front door that every handler stands behind: who may ask, what a page may do, what an error says."""

from __future__ import annotations

import secrets
from types import TracebackType
from typing import Any, NoReturn
from urllib.parse import urlsplit

import tornado.web

from flexlogger.server import wire
from flexlogger.server.address import is_loopback
from flexlogger.server.names import canonical, refusal


class Refused(tornado.web.HTTPError):
    """A request that is answered with a status and one line saying why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(status)
        self.why = why


def env_name(name: object) -> str:
    """Return the name an environment is kept under, or refuse the request."""
    refused = refusal(name)
    if refused is not None:
        raise Refused(400, refused)
    return canonical(str(name))


class Guard(tornado.web.RequestHandler):
    """Mixed in before every handler, browser sockets too (tornado calls `prepare` before it upgrades a connection)."""

    nonce: str

    def prepare(self) -> None:
        """Let in only who asks for this machine by name, from no page but our own."""
        host = urlsplit(f"//{self.request.host}").hostname or ""
        if not is_loopback(host):  # a name that a stranger's DNS points here would make his page "same origin"
            raise Refused(403, f"this server answers to localhost, not to {host!r}")
        origin = self.request.headers.get("Origin")
        if origin is not None and not self._is_ours(origin):
            raise Refused(403, f"pages of {origin!r} may not talk to this server")

    def check_origin(self, origin: str) -> bool:
        """Repeat the check where tornado asks for it, over visdom's "anyone"."""
        return self._is_ours(origin)

    def set_default_headers(self) -> None:
        """Let a page run our scripts only: environments may hold anybody's HTML."""
        self.nonce = secrets.token_urlsafe(16)
        host = self.request.host
        policy = {
            "default-src": "'self'",
            "script-src": f"'self' 'nonce-{self.nonce}' 'unsafe-eval'",  # plotly and MathJax compile functions
            "style-src": "'self' 'unsafe-inline'",
            "img-src": "'self' data: blob:",
            "media-src": "'self' data: blob:",
            "connect-src": f"'self' ws://{host} wss://{host}",
            "object-src": "'none'",
            "base-uri": "'none'",
            "form-action": "'self'",
            "frame-ancestors": "'none'",
        }
        self.set_header("Content-Security-Policy", "; ".join(f"{key} {value}" for key, value in policy.items()))
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Server", "flexlogger")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with one line of JSON, never a traceback."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        why = error.why if isinstance(error, Refused) else self._reason
        self.set_header("Content-Type", "application/json")
        self.finish(wire.encode({"error": why}))

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Keep the traceback for errors that are ours."""
        if not isinstance(value, tornado.web.HTTPError):
            super().log_exception(typ, value, tb)

    def _is_ours(self, origin: str) -> bool:
        return urlsplit(origin).netloc.lower() == self.request.host.lower()


class NotFound(Guard):
    """Everything that has no handler."""

    def prepare(self) -> NoReturn:
        """Refuse, after the checks everything stands behind."""
        super().prepare()
        raise Refused(404, f"there is nothing at {self.request.path}")
