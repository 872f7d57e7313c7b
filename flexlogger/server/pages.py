"""The page itself: visdom's template with our asset addresses, and what it asks for while it loads."""

from __future__ import annotations

from visdom.utils import server_utils

from flexlogger.server import assets
from flexlogger.server.calls import ODD_INPUT, Handler
from flexlogger.server.guard import Refused, env_name

NO_ASSETS = f"""<!doctype html><title>flexlogger</title><p>The dashboard's scripts are not installed: run
<code>{assets.COMMAND}</code>, then reload this page. What is logged is kept meanwhile."""


class Page(Handler):
    """GET draws the page; POST pushes windows to a browser's socket."""

    def static_url(self, path: str, include_host: bool | None = None, **kwargs: object) -> str:
        """Return the address of a static file; visdom's template climbs out of /static/ for the user's style."""
        return path.removeprefix("..") if path.startswith("../") else f"/static/{path}?v={self.app.version}"

    def draw(self, active: str) -> None:
        """Send the page with `active` ('' for the browser's last one) opened."""
        if not assets.ready():
            self.write(NO_ASSETS)
            return
        names = sorted(self.state)
        page = self.render_string("index.html", user="", items=names, active_item=active, wrap_socket=False)
        ours = f'<script src="{self.static_url("draw.js")}"></script></head>'
        page = page.replace(b"</head>", ours.encode())
        self.finish(page.replace(b"<script", f'<script nonce="{self.nonce}"'.encode()))


class IndexPage(Page):
    """The page on whatever environment the browser had open."""

    def get(self) -> None:
        """Draw it."""
        self.draw("")


class EnvPage(Page):
    """``/env/NAME``."""

    def get(self, name: str) -> None:
        """Draw the page on this environment."""
        name = env_name(name)
        self.draw(name if name in self.state else "")

    def post(self, name: str) -> None:
        """``{sid}``: send all windows to that browser; ``{eid}``: make the environment where there is none."""
        name, arguments = env_name(name), self.arguments()
        browser = self.subs.get(str(arguments.get("sid")))
        if browser is not None:
            server_utils.load_env(self.state, name, browser, env_path=None)
        if arguments.get("eid") is not None:
            created = env_name(arguments["eid"])
            if created not in self.state:
                self.state[created] = {"jsons": {}, "reload": {}}
                server_utils.broadcast_envs(self)


class ComparePage(Page):
    """``/compare/A+B``: plots of the same title laid over each other."""

    def get(self, names: str) -> None:
        """Draw the page on those environments that exist."""
        self.draw("+".join(self._known(names)))

    def post(self, names: str) -> None:
        """``{sid}``: send the merged windows to that browser."""
        browser = self.subs.get(str(self.arguments().get("sid")))
        known = self._known(names)
        if browser is None or not known:
            return
        try:
            server_utils.compare_envs(self.state, known, browser, env_path=None)
        except ODD_INPUT as error:
            raise Refused(400, f"visdom cannot compare these: {type(error).__name__}: {error}") from error

    def _known(self, names: str) -> list[str]:
        # sorted: visdom lays the first of them under the sorted rest and would show one twice, another never
        return sorted({env_name(name) for name in names.split("+")}.intersection(self.state))


class UserStyle(Handler):
    """``/user/style.css``: the person's own style sheet, ``style.css`` beside the environments."""

    def get(self) -> None:
        """Send it; empty where there is none."""
        self.set_header("Content-Type", "text/css")
        path = self.app.state.folder / "style.css"
        self.write(path.read_bytes() if path.is_file() else b"")
