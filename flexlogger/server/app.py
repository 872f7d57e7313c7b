"""The web application: visdom's functions and page behind our door, with our store under them."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any

import tornado.web
from visdom.utils.shared_utils import get_visdom_path

from flexlogger.server import assets, calls, pages, sockets
from flexlogger.server.envs import Environments
from flexlogger.server.files import replace_file
from flexlogger.server.guard import Guard, NotFound

MAX_BODY = 64 * 2**20
"""Largest request body in bytes; a larger one is refused while its headers are read."""

MAX_COMMAND = 4 * 2**20
"""Largest message of a browser or client socket in bytes."""

VISDOMS_OWN = r"js/main\.js|css/style\.css|css/network\.css"
"""Static files that come with the installed visdom, so that its page always matches its functions."""


DRAW = Path(__file__).with_name("draw.js")
"""Our own script of the page."""


class Static(Guard, tornado.web.StaticFileHandler):
    """A file of the page."""


class Nothing(Guard):
    """``/favicon.png``, which browsers ask for and visdom has not."""

    def get(self) -> None:
        """Say so without an error in the browser's console."""
        self.set_status(204)


class Dashboard(tornado.web.Application):
    """visdom's application without its globals; the plain attributes are what visdom's functions expect of one."""

    base_url = ""
    env_path = None  # visdom is to leave the disk alone; `Environments` keeps it
    readonly = False
    login_enabled = False

    def __init__(self, state: Environments, port: int) -> None:
        self.state = state
        self.port = port
        self.subs: dict[str, Any] = {}
        self.sources: dict[str, Any] = {}
        self._layouts = state.folder / "view" / "layouts.json"
        self.layouts = self._layouts.read_text("utf-8", "replace") if self._layouts.is_file() else ""
        visdoms = get_visdom_path("static")
        ours = hashlib.sha256(DRAW.read_bytes()).hexdigest()[:12]
        self.version = f"{metadata.version('visdom')}-{assets.digest()}-{ours}"  # browsers keep files for good under it
        shared = {"app": self}
        super().__init__(
            [
                *(
                    (path, calls.Call, {**shared, "work": work, "changes": changes})
                    for path, (work, changes) in calls.CALLS.items()
                ),
                (r"/socket", sockets.BrowserSocket, shared),
                (r"/vis_socket", sockets.ClientSocket, shared),
                (r"/?", pages.IndexPage, shared),
                (r"/env/(.+)", pages.EnvPage, shared),
                (r"/compare/(.+)", pages.ComparePage, shared),
                (r"/user/style\.css", pages.UserStyle, shared),
                (r"/favicon\.(?:png|ico)", Nothing),
                (rf"/static/({VISDOMS_OWN})", Static, {"path": visdoms}),
                (r"/static/(draw\.js)", Static, {"path": str(DRAW.parent)}),
                (r"/static/(.*)", Static, {"path": str(assets.STATIC)}),
            ],
            default_handler_class=NotFound,
            template_path=visdoms,
            autoescape=None,  # the template escapes for itself
            websocket_max_message_size=MAX_COMMAND,
            websocket_ping_interval=20,
            log_function=lambda handler: None,
        )

    def touched(self, name: str) -> None:
        """Note that environment `name` changed, for the next save."""
        if name in self.state:
            self.state.touch(name)

    def save_layouts(self) -> None:
        """Keep the pages' saved views; visdom's socket calls this after it has changed `layouts`."""
        self._layouts.parent.mkdir(exist_ok=True)
        replace_file(self._layouts, self.layouts.encode())
