"""What a notebook shows of a run and of a logger, in a real browser."""

from __future__ import annotations

from playwright.sync_api import Page

import flexlogger.runs as runs
from flexlogger import FlexLogger
from flexlogger.server.process import ServerProcess


def shown(page: Page, html: str) -> list[list[str]]:
    page.set_content(html)
    return [row.locator("td").all_inner_texts() for row in page.locator("tr").all()]


def test_a_run_shows_its_last_values_and_a_link_to_its_dashboard(server: ServerProcess, page: Page) -> None:
    run = runs.init("demo", name="<script>", port=server.port)
    for n in range(3):
        run.log({"loss": 0.5**n, "<b>acc</b>": n})
    assert shown(page, run._repr_html_()) == [["loss", "0.25"], ["<b>acc</b>", "2"]]
    assert page.locator("b").inner_text() == "demo/<script>"
    assert page.locator("a").get_attribute("href") == run.url
    assert run.flush()
    page.goto(page.locator("a").get_attribute("href") or "")
    page.locator('.window:has(.bar :text-is("loss"))').wait_for()


def test_a_logger_shows_what_it_logged_last(server: ServerProcess, page: Page) -> None:
    with FlexLogger.from_presets("loss", project="demo", name="first", port=server.port) as stat:
        assert shown(page, stat._repr_html_()) == []
        stat.add({"train_loss": 0.5})
        stat.log(0)
        assert shown(page, stat._repr_html_()) == [["train_loss", "0.5"]]
        assert page.locator("b").inner_text() == "demo/first"
        assert page.locator("a").get_attribute("href") == stat.url


def test_many_values_are_cut_short_and_counted(page: Page) -> None:
    run = runs.init(mode="disabled")
    run.log({f"m{n}": float(n) for n in range(60)})
    rows = shown(page, run._repr_html_())
    assert (rows[49], rows[50], len(rows)) == (["m49", "49"], ["and 10 more", ""], 51)
