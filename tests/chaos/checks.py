"""What must hold after any of it: windows that equal the truth, calls that did not wait, a log with all in it."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import numpy as np

from flexlogger.plots.trace import Trace
from flexlogger.runs.segment import Damage
from tests.chaos.training import MATRIX_EVERY, THINNED
from tests.chaos.truth import Truth
from tests.end_to_end.scripts import read_run
from tests.end_to_end.windows import traces, window

LONGEST_CALL_MS = 50.0

Point = tuple[float, float]


class Drawn:
    """Whose windows to look at."""

    def __init__(self, env: str, uid: str) -> None:
        self.env = env
        self.uid = uid


def lines(url: str, plot: str, env: str = "chaos", uid: str = "chaos") -> dict[str, list[Point]]:
    """The points of a window's lines, as the server has them."""
    drawn: Any = Drawn(env, uid)
    return traces(drawn, url, plot)


def until_drawn(
    step: float, url: str, env: str = "chaos", uid: str = "chaos", plot: str = "thinned", first: float = 0
) -> None:
    """Return once a window shows a point at `step` or later, of those from `first` on within a million steps."""
    deadline = time.monotonic() + 40
    while True:
        with suppress(AssertionError, HTTPError):  # a new server has no such window, or no such environment
            drawn = [x for x, _ in lines(url, plot, env, uid)[plot] if first <= x < first + 10**6]
            if drawn and drawn[-1] >= step:
                return
        assert time.monotonic() < deadline, "the dashboard is there, and its window is not"
        time.sleep(0.1)


def windows_equal(points: list[Point], url: str, env: str = "chaos", uid: str = "chaos") -> None:
    """Every point of the whole window, the chosen ones of the thinned one, the last one of the matrices."""
    assert lines(url, "loss", env, uid)["loss"] == points
    thinned = lines(url, "thinned", env, uid)["thinned"]
    by_value = sorted(points, key=lambda point: point[1])
    shown = Trace(THINNED)
    shown.extend(*np.array(points).T)
    assert thinned == list(zip(shown.shown().x.tolist(), shown.shown().y.tolist(), strict=True))
    assert {points[0], points[-1], by_value[0], by_value[-1]} <= set(thinned)
    drawn: Any = Drawn(env, uid)
    last = points[-1][0] // MATRIX_EVERY * MATRIX_EVERY
    for name, size in (("small", 4), ("large", 40)):
        (heatmap,) = window(drawn, url, name)["content"]["data"]
        assert np.array_equal(heatmap["z"], np.full((size, size), last))


def on_disk(folder: Path) -> list[Point]:
    """Every point in a run's log, segment by segment; nothing in it may be damaged but one torn end."""
    points: list[Point] = []
    for segment in read_run(folder):
        assert segment.damage in (Damage(), Damage(torn=1))
        points += segment.series("loss")
    return points


def calls(truth: Truth) -> dict[str, float]:
    """How long an `add` and its `log` took together, in ms.

    `longest_ms` is the plain longest. `longest_own_ms` leaves out how long the kernel had the thread wait for a core,
    which no code in it can help: that is what a bound can be asserted of on any machine. Beside it, how long a stretch
    of plain Python without any logging was held up.
    """
    call = truth.column("add_s") + truth.column("log_s")
    own = call - np.minimum(call, truth.column("queued_s"))
    return {
        "calls": 2 * len(call),
        "median_ms": 1000 * float(np.median(call)),
        "p99.9_ms": 1000 * float(np.quantile(call, 0.999)),
        "longest_ms": 1000 * float(call.max()),
        "over_50_ms": int((call > LONGEST_CALL_MS / 1000).sum()),
        "longest_own_ms": 1000 * float(own.max()),
        "plain_python_ms": 1000 * float(truth.column("control_s").max()),
    }
