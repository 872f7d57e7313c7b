"""A loop as a line: a bar that changes in place on a terminal, in a notebook a text, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

from flexlogger import screen
from flexlogger.progress.counted import Counted
from flexlogger.records import Item
from flexlogger.sinks.faces import clean
from flexlogger.sinks.pace import duration
from flexlogger.sinks.terminal import notebook

WIDTH = 20
"""Letters of the bar itself."""
LINE_S = 60.0
"""Where there is no terminal, a line is printed so often, and at the end."""
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_GAP = "  "


class BarSink:
    """Shows one loop and the last values of its run each time it is flushed. `values` returns these.

    `stays` says whether its last state stays when the loop has ended. `clock` is the loop's.
    """

    def __init__(
        self,
        loop: Counted,
        values: Callable[[], Mapping[str, float]],
        *,
        stays: bool = True,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._loop = loop
        self._values = values
        self._stays = stays
        self._out = out
        self._clock = clock
        self._shown = loop.start
        self._on = screen.screen() if out is None else screen.Screen(out) if screen.is_terminal(out) else None
        self._notebook = notebook() if out is None and self._on is None else None
        self._handle: Any = None

    def write(self, batch: Sequence[Item]) -> None:
        """Nothing is handed to it: it looks by itself."""

    def flush(self) -> None:
        """Show how far the loop is."""
        now = self._clock()
        if self._on is not None:
            self._on.show(self, [line(self._loop, self._values(), now, self._on.size()[0] - 1)])
        elif self._notebook is not None:
            self._show_in_notebook(line(self._loop, self._values(), now, 160))
        elif now - self._shown >= LINE_S and self._loop.end is None:
            self._print(now)

    def close(self) -> None:
        """Leave the last state of the loop."""
        now = self._clock()
        if self._on is not None:
            last = line(self._loop, self._values(), now, self._on.size()[0] - 1)
            self._on.release(self, [last] if self._stays else [])
        elif self._notebook is not None:
            self._show_in_notebook(line(self._loop, self._values(), now, 160))
        else:
            self._print(now)

    def _print(self, now: float) -> None:
        self._shown = now
        out = self._out or sys.stderr
        if out is not None:
            print(line(self._loop, self._values(), now, 1000, bar=False), file=out, flush=True)

    def _show_in_notebook(self, text: str) -> None:
        display, html = self._notebook or (None, None)
        if display is None or html is None:
            return
        shown = html(f"<pre>{text.replace('&', '&amp;').replace('<', '&lt;')}</pre>")
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)


def line(loop: Counted, values: Mapping[str, float], now: float, width: int, bar: bool = True) -> str:
    """A loop in at most `width` letters: how far it is, how fast, the time that is left, then values.

    >>> loop = Counted("train", 200, 0.0)
    >>> for _ in range(50):
    ...     loop.count(32)
    >>> line(loop, {"loss": 0.25}, 10.0, 100)
    'train  25% ▕█████               ▏ 50/200  5 steps/s  160 samples/s  30 s left  loss 0.25'
    """
    words = [clean(loop.description)] if loop.description else []
    if loop.total:
        share = min(loop.steps / loop.total, 1.0)
        words.append(f"{share:.0%} ▕{_filled(share)}▏ {loop.steps:,}/{loop.total:,}" if bar else f"{share:.0%}")
    if not bar or not loop.total:
        words.append(f"{loop.steps:,} steps")
    words += _speed(loop, now)
    words += [f"{clean(name)} {value:.4g}" for name, value in values.items()]
    text = words[0]
    for word in words[1:]:
        if len(text) + len(_GAP) + len(word) > width:
            break
        text += _GAP + word
    return text[:width]


def _speed(loop: Counted, now: float) -> list[str]:
    rates = loop.rates(now)
    if rates is None:
        return []
    steps, samples = rates
    words = [f"{steps:.3g} steps/s" if steps >= 1 else f"{duration(1 / steps)} a step"]
    words += [f"{samples:,.0f} samples/s"] if samples else []
    left = loop.left(now)
    if loop.end is not None:
        words.append(f"in {duration(loop.end - loop.start)}")
    elif left is not None:
        words.append(f"{duration(left)} left")
    return words


def _filled(share: float) -> str:
    whole, part = divmod(int(share * WIDTH * 8), 8)
    return ("█" * whole + (_EIGHTHS[part] if whole < WIDTH else "")).ljust(WIDTH)
