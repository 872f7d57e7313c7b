"""The page in a real browser: it loads from this machine alone, and nobody's HTML runs."""

from __future__ import annotations

from playwright.sync_api import Page

from flexlogger.server.process import ServerProcess
from tests.server.peers import post, show

ATTACKS = """<b id="attack">hello</b><script>window.attacked = 1</script><img src="x" onerror="window.attacked = 2">
<a id="link" href="javascript:window.attacked = 3">link</a><svg onload="window.attacked = 4"></svg>
<iframe srcdoc="<script>parent.attacked = 5</script>"></iframe><img src="http://example.org/track.png">
<form action="http://example.org/"><button id="send">send</button></form>"""


def plot(server: ServerProcess, env: str, title: str) -> None:
    trace = {"type": "scatter", "mode": "lines", "name": env, "x": [0, 1], "y": [len(env), 2]}
    body = {"eid": env, "win": "plot", "data": [trace], "layout": {"title": title}, "opts": {"title": title}}
    assert post(server, "/events", body).text == "plot"


def test_the_page_draws_offline_with_formulas(server: ServerProcess, page: Page) -> None:
    plot(server, "offline", r"$\alpha^2$")
    bad: list[str] = []
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: bad.append(request.url))
    page.on("response", lambda response: bad.append(response.url) if response.status >= 400 else None)
    page.on("pageerror", lambda error: bad.append(str(error)))
    page.goto(f"{server.url}/env/offline")
    page.wait_for_selector(".js-plotly-plot .lines path")
    page.wait_for_selector(".gtitle-math-group svg")
    assert page.get_by_text("online", exact=True).is_visible()
    assert bad == []
    assert len(asked) > 20
    assert [url for url in asked if not url.startswith((server.url, "data:", "blob:"))] == []


def test_nobodys_html_runs(server: ServerProcess, page: Page) -> None:
    show(server, "attack", "w", ATTACKS)
    elsewhere: list[str] = []
    page.on("response", lambda response: elsewhere.append(response.url) if "example.org" in response.url else None)
    page.goto(f"{server.url}/env/attack")
    page.wait_for_selector("#attack")
    page.evaluate("document.querySelector('#link').click(); document.querySelector('#send').click()")
    page.wait_for_load_state("networkidle")
    assert page.url == f"{server.url}/env/attack"
    assert page.evaluate("window.attacked") is None
    assert elsewhere == []


def test_comparing_shows_every_environment(server: ServerProcess, page: Page) -> None:
    for env in ("second", "first1"):
        plot(server, env, "the same title")
    page.goto(f"{server.url}/compare/second+first1")
    page.wait_for_selector(".legendtext >> nth=1")
    drawn = page.evaluate("document.querySelector('.js-plotly-plot').data.map(t => [t.name, t.y[0]])")
    numbers = {"first1": "0", "second": "1"}
    assert sorted(drawn) == sorted([f"{numbers[env]}_{env}", len(env)] for env in numbers)
