"""Many windows that change all the time, and somebody looking at them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from bench import browser
from bench.driver import Worker
from bench.figures import percentile, short
from bench.process import cpu_seconds
from bench.results import Picture, Result, Table, Target
from bench.session import Session

NAME = "many_windows"
WINDOWS = 50
RATE = 10
FULL = 2000
"""Points that fill a trace (max_points)."""

HOW = f"""\
{WINDOWS} windows of five traces, every trace logged {RATE} times a second, and a headless Chromium (software rendering,
on the same cores) that shows them all. Once from empty windows, once with windows that already hold {FULL:,} points a
trace. A click lands on a window's title bar twice a second; it is answered when the frame after its handlers is
painted, counted from the event's own time, so that waiting for a busy page counts. CPU is of one core."""


def run(session: Session) -> Result:
    seconds = session.pick(60.0, 6.0)
    cases = {"empty at first": 0} if session.quick else {"empty at first": 0, f"{FULL:,} points a trace": FULL}
    found = {label: _watch(session, label, filled, seconds) for label, filled in cases.items()}
    columns = ["windows", "server CPU %", "logging process CPU %", "browser CPU %", "redraws/s of all"]
    columns += ["click ms, median", "p95", "worst", "dropped"]
    rows = [[label, *_row(figures)] for label, figures in found.items()]
    start = found["empty at first"]
    answered = sorted(start["clicks"])
    targets = [
        Target("server CPU", "≤ 30 % of a core", f"{short(start['server'])} %", start["server"] <= 30),
        Target(
            "a click is answered (p95)",
            "< 200 ms",
            f"{short(percentile(answered, 0.95))} ms" if answered else "–",
            percentile(answered, 0.95) < 200 if answered else None,
        ),
    ]
    picture = Picture(
        f"{WINDOWS} windows × 5 traces, {RATE} logs a second, a browser open", "% of a core", columns[1:4]
    )
    table = Table("While they change", columns, rows, picture=picture)
    return Result(NAME, "Many windows", HOW, session.quick, [table], targets)


def _row(figures: dict[str, Any]) -> list[str]:
    answered = sorted(figures["clicks"])
    clicks = [short(percentile(answered, share)) for share in (0.5, 0.95, 1.0)] if answered else ["–"] * 3
    shares = [short(figures[key]) for key in ("server", "client", "browser", "refreshes")]
    return [*shares, *clicks, str(figures["dropped"])]


def _watch(session: Session, label: str, filled: int, seconds: float) -> dict[str, Any]:
    session.tell(f"{label}: {seconds:.0f} s")
    with session.folder() as folder, session.server() as server:
        options = {"folder": str(folder), "port": server.port, "windows": WINDOWS}
        with session.worker("many", options) as worker:
            worker.round(seconds=0, rate=RATE, steps=filled or 2)
            if not browser.available():
                return _measure(worker, server.pid, seconds, partial(_nobody, seconds)) | {"browser": 0.0}
            with browser.looking_at(f"{server.url}/env/bench", WINDOWS) as page:
                before, started = browser.cpu_seconds(), time.monotonic()
                found = _measure(worker, server.pid, seconds, partial(browser.click_for, page, seconds))
                spent = browser.cpu_seconds() - before
                return found | {"browser": spent / (time.monotonic() - started) * 100}


def _nobody(seconds: float) -> list[float]:
    time.sleep(seconds)
    return []


def _measure(worker: Worker, server: int, seconds: float, meanwhile: Callable[[], list[float]]) -> dict[str, Any]:
    """Let the worker log while `meanwhile` clicks; CPU in percent of a core."""
    answer: dict[str, Any] = {}
    logging = threading.Thread(target=lambda: answer.update(worker.round(seconds=seconds, rate=RATE)))
    before = cpu_seconds(server)
    logging.start()
    clicks = meanwhile()
    logging.join()
    return {
        "server": (cpu_seconds(server) - before) / seconds * 100,
        "client": answer["cpu"] / seconds * 100,
        "clicks": clicks,
        "refreshes": answer["refreshes"],
        "dropped": answer["dropped"],
    }
