"""Plots are drawn one at a time: the page answers in between, and what the user did to a plot stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import visdom
from playwright.sync_api import Page

from flexlogger.server.process import ServerProcess
from tests.server.peers import post

DRAW = Path(__file__).parents[2] / "flexlogger/server/draw.js"

# Around plotly's own functions, inside of ours: what is drawn, and in which turn of the page's event loop.
NOTED = """
window.drawn = [];
window.turn = 0;
const turns = new MessageChannel();
turns.port1.onmessage = () => { window.turn++; turns.port2.postMessage(0); };
turns.port2.postMessage(0);
for (const name of ['newPlot', 'react']) {
  const plotly = Plotly[name];
  Plotly[name] = (pane, data, layout, config) => {
    window.drawn.push({name, title: layout.title, y: data[0].y.at(-1), turn: window.turn, at: performance.now()});
    return plotly(pane, data, layout, config);
  };
}
"""

FIRST = "document.querySelector('.plotly-graph-div')"
PLOT_AGAIN = f"""(ys) => {{
  for (const y of ys) {{
    const data = [{{type: 'scatter', mode: 'lines', name: 'a', y: [0, y]}}, {{type: 'scatter', name: 'b', y: [2, 1]}}];
    Plotly.newPlot({FIRST}.id, data, {{title: 'again', xaxis: {{}}, yaxis: {{}}}}, {{}});
  }}
}}"""

ALL_AGAIN = """() => {
  for (const pane of [...document.querySelectorAll('.plotly-graph-div')].reverse())
    Plotly.newPlot(pane.id, [{type: 'scatter', name: 'a', y: [0, 2]}], {title: pane.layout.title.text}, {});
}"""
"""One event after which every pane waits: what arrives bit by bit may find nothing in view that waits."""


def plot(server: ServerProcess, env: str, number: int, y: int = 1) -> None:
    data = [{"type": "scatter", "mode": "lines", "name": "a", "x": [0, 1], "y": [0, y]}]
    data.append({"type": "scatter", "mode": "lines", "name": "b", "x": [0, 1], "y": [2, 1]})
    layout, opts = {"title": f"plot {number}"}, {"title": f"plot {number}", "width": 640, "height": 400}
    body = {"eid": env, "win": f"w{number}", "data": data, "layout": layout, "opts": opts}
    assert post(server, "/events", body).status_code == 200


def drawn(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate("drawn")
    return found


def wait_for(page: Page, title: str, y: int = 1) -> None:
    page.wait_for_function(f"drawn.some((one) => one.title === {title!r} && one.y === {y})")


@pytest.fixture
def noted(page: Page) -> Page:
    """A page that notes what it draws."""
    body = NOTED + DRAW.read_text()
    page.route("**/draw.js*", lambda route: route.fulfill(body=body, content_type="text/javascript"))
    return page


def test_each_plot_has_a_turn_of_its_own_and_those_in_view_come_first(server: ServerProcess, noted: Page) -> None:
    for number in range(12):  # two beside each other, two rows and a half in view
        plot(server, "turns", number)
    noted.goto(f"{server.url}/env/turns")
    noted.wait_for_function("new Set(drawn.map((one) => one.title)).size === 12")
    noted.evaluate("drawn.length = 0")
    noted.evaluate(ALL_AGAIN)
    noted.wait_for_function("new Set(drawn.map((one) => one.title)).size === 12")
    found = drawn(noted)
    assert len({one["turn"] for one in found}) == len(found)
    assert {one["title"] for one in found[:4]} <= {f"plot {number}" for number in range(6)}


def test_of_several_plots_that_wait_for_one_pane_the_latest_is_drawn(server: ServerProcess, noted: Page) -> None:
    plot(server, "latest", 0)
    noted.goto(f"{server.url}/env/latest")
    wait_for(noted, "plot 0")
    noted.evaluate(PLOT_AGAIN, [3, 4, 5])
    wait_for(noted, "again", 5)
    assert [one["y"] for one in drawn(noted) if one["title"] == "again"] == [5]


def test_a_plot_that_is_there_is_changed_and_not_made_anew(server: ServerProcess, noted: Page) -> None:
    plot(server, "changed", 0)
    noted.goto(f"{server.url}/env/changed")
    wait_for(noted, "plot 0")
    for y in (3, 4):
        noted.evaluate(PLOT_AGAIN, [y])
        wait_for(noted, "again", y)
    assert [(one["name"], one["y"]) for one in drawn(noted)] == [("newPlot", 1), ("react", 3), ("react", 4)]
    assert noted.evaluate(f"{FIRST}._fullLayout.yaxis.range[1]") > 4
    assert noted.locator(".scatterlayer path.js-line").count() == 2


def test_what_visdoms_own_client_appends_is_drawn(server: ServerProcess, noted: Page) -> None:
    viz = visdom.Visdom(server="http://127.0.0.1", port=server.port, env="appended", raise_exceptions=True)
    viz.line([1.0, 2.0], [0, 1], win="line", opts={"title": "appended"})
    noted.goto(f"{server.url}/env/appended")
    noted.wait_for_function(f"{FIRST}?.calcdata?.[0].length === 2")
    for x in range(2, 6):
        viz.line([float(x)], [x], win="line", update="append")
        noted.wait_for_function(f"{FIRST}.calcdata[0].length === {x + 1}")
    assert noted.evaluate(f"{FIRST}._fullLayout.xaxis.range[1]") >= 5


def test_what_the_user_did_while_a_plot_waited_stays(server: ServerProcess, noted: Page) -> None:
    plot(server, "kept", 0)
    noted.goto(f"{server.url}/env/kept")
    wait_for(noted, "plot 0")
    noted.evaluate(
        f"""async () => {{
        ({PLOT_AGAIN})([7]);
        Plotly.restyle({FIRST}, {{visible: 'legendonly'}}, [1]);
        Plotly.relayout({FIRST}, {{'xaxis.range[0]': 0.25, 'xaxis.range[1]': 0.5}});
    }}"""
    )
    wait_for(noted, "again", 7)
    assert noted.evaluate(f"{FIRST}._fullData.map((trace) => trace.visible)") == [True, "legendonly"]
    assert noted.evaluate(f"{FIRST}._fullLayout.xaxis.range") == [0.25, 0.5]
    assert noted.evaluate(f"{FIRST}._fullLayout.yaxis.autorange") is True


def test_a_page_in_use_is_left_alone_for_a_moment(server: ServerProcess, noted: Page) -> None:
    plot(server, "in-use", 0)
    noted.goto(f"{server.url}/env/in-use")
    wait_for(noted, "plot 0")
    noted.mouse.move(5, 600)
    began = noted.evaluate("performance.now()")
    noted.mouse.down()
    noted.evaluate(PLOT_AGAIN, [9])
    wait_for(noted, "again", 9)
    (again,) = (one for one in drawn(noted) if one["title"] == "again")
    assert again["at"] - began >= 250


def test_a_plot_out_of_view_costs_no_rendering_and_is_there_when_it_comes_into_view(
    server: ServerProcess, noted: Page
) -> None:
    for number in range(12):
        plot(server, "below", number)
    noted.goto(f"{server.url}/env/below")
    noted.wait_for_function("drawn.length >= 12")
    last = noted.locator(".react-grid-item", has_text="plot 11").locator(".plotly-graph-div")
    assert not last.evaluate("pane => pane.firstElementChild.checkVisibility({contentVisibilityAuto: true})")
    plot(server, "below", 11, 3)
    last.scroll_into_view_if_needed()
    wait_for(noted, "plot 11", 3)
    assert last.evaluate("pane => pane.firstElementChild.checkVisibility({contentVisibilityAuto: true})")
    assert last.evaluate("pane => pane.data[0].y") == [0, 3]
    assert last.locator(".scatterlayer path.js-line").count() == 2


def test_a_window_is_dragged_without_selecting_text_and_without_styling_the_whole_page_anew(
    server: ServerProcess, noted: Page
) -> None:
    for number in range(4):
        plot(server, "dragged", number)
    noted.goto(f"{server.url}/env/dragged")
    noted.wait_for_function("new Set(drawn.map((one) => one.title)).size === 4")
    bar = noted.locator(".react-grid-item", has_text="plot 0").locator(".bar")
    before, target = bar.bounding_box(), noted.locator(".react-grid-item", has_text="plot 3").bounding_box()
    assert before is not None
    assert target is not None
    noted.evaluate(
        """() => {
        window.classes = [];
        const watch = new MutationObserver(() => classes.push(document.body.className));
        watch.observe(document.body, {attributes: true});
    }"""
    )
    noted.mouse.move(before["x"] + 100, before["y"] + 5)
    noted.mouse.down()
    noted.mouse.move(target["x"] + 200, target["y"] + 150, steps=5)
    assert noted.evaluate("getSelection().toString()") == ""
    noted.mouse.up()
    noted.wait_for_function("document.querySelectorAll('.react-draggable-dragging').length === 0")
    after = bar.bounding_box()
    assert after is not None
    assert (after["x"], after["y"]) != (before["x"], before["y"])
    assert set(noted.evaluate("classes")) <= {""}


def test_no_plot_has_a_link_to_a_place_that_the_page_may_not_send_it_to(server: ServerProcess, noted: Page) -> None:
    plot(server, "links", 1)
    noted.goto(f"{server.url}/env/links")
    wait_for(noted, "plot 1")
    noted.wait_for_selector(".plotly-graph-div .xtick", state="attached")
    assert noted.locator(".js-link-to-tool").count() == noted.get_by_text("Edit").count() == 0
