"""`track`: a loop with a bar, whose speed is logged."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TextIO, TypeVar
from weakref import WeakKeyDictionary

from flexlogger.errors import ValueRefusedError
from flexlogger.progress.bar import BarSink
from flexlogger.progress.counted import Counted, LastValues, samples_in, speeds
from flexlogger.records import Record, Step
from flexlogger.session import Run, current, open_runs
from flexlogger.sinks.view import View

T = TypeVar("T")
REFRESH_S = 0.2
CLOSE_S = 1.0


def track(
    loader: Iterable[T], description: str = "", *, total: int | None = None, run: Any = None, out: TextIO | None = None
) -> Tracked[T]:
    """Iterate over `loader`, showing how far it is, how fast it goes and the last values of the run, on standard error
    or on `out`.

    About once a second it logs `<description>_step_s`, the seconds a step takes, and where the batches hold arrays
    `<description>_samples_per_s`: into `run` (a logger or an open run), else the current run, else the one that was
    opened last; without any it only shows. Their steps count on over loops of the same description.

    `total` is the number of steps where `len(loader)` does not tell. Raises ValueRefusedError for what cannot be
    iterated over, and for a description or total that is none.

    >>> import io
    >>> sum(track([1, 2, 3], "add", out=io.StringIO()))
    6
    """
    if not isinstance(loader, Iterable):
        raise ValueRefusedError(f"track: expected something to iterate over, but got {loader!r}")
    if not isinstance(description, str):
        raise ValueRefusedError(f"track: description: expected a text, but got {description!r}; steps are total=")
    if total is None:
        total = _length(loader)
    elif not isinstance(total, int) or isinstance(total, bool) or total < 0:
        raise ValueRefusedError(f"track: total: expected a number of steps, but got {total!r}")
    session = getattr(run, "session", None)
    if run is not None and not isinstance(session, Run):
        raise ValueRefusedError(f"track: run: expected a logger or an open run, but got {run!r}")
    return Tracked(loader, description, total, session, out)


class Tracked(Generic[T]):
    """What `track` returns: as long as `loader`, and iterated over as often."""

    def __init__(
        self,
        loader: Iterable[T],
        description: str,
        total: int | None,
        run: Run | None = None,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._loader = loader
        self._description = description
        self._total = total
        self._run = run
        self._out = out
        self._clock = clock

    def __len__(self) -> int:
        return len(self._loader)  # type: ignore[arg-type]  # raises TypeError where the loader has no length

    def __iter__(self) -> Iterator[T]:
        """Show a bar until the last item, or until whoever iterates lets go."""
        run = self._run or current() or next(iter(open_runs()[::-1]), None)
        clock = self._clock
        loop = Counted(self._description, self._total, clock())
        log = _Log(run, self._description) if run is not None else None
        sink = BarSink(loop, log.values if log is not None else dict, stays=not _within, out=self._out, clock=clock)
        view = View(sink, "progress", interval=REFRESH_S)
        _within.append(loop)
        try:
            for item in self._loader:
                yield item
                loop.count(samples_in(item))
                if log is not None and (values := loop.due(clock())) is not None:
                    log.add(values, loop.steps)
        finally:
            loop.end = clock()
            _within.remove(loop)
            if log is not None:
                log.end(loop.due(loop.end, last=True), loop.steps)
            view.close(CLOSE_S)


_within: list[Counted] = []
"""The loops that are under way; the outermost one's bar stays at its end."""


class _Log:
    """What a loop logs into a run, and sees of it."""

    def __init__(self, run: Run, description: str) -> None:
        self._run = run
        self._description = description
        if run not in _outlets:
            _outlets[run] = LastValues()
            run.pipe.add_view(_outlets[run])
        self._outlet = _outlets[run]
        self._first = _counted.setdefault(run, {}).setdefault(description, _first_step(run))

    def values(self) -> dict[str, float]:
        """The last values of the run; the speeds of loops, this one's and others', are none."""
        names = {name for description in _counted[self._run] for name in speeds(description)}
        return {name: value for name, value in self._outlet.values.items() if name not in names}

    def add(self, values: dict[str, float], steps: int) -> None:
        """Log what came of the loop's first `steps` steps."""
        if not self._run.closed:
            self._run.pipe.submit(Record(self._first + steps - 1, time.time(), values))

    def end(self, values: dict[str, float] | None, steps: int) -> None:
        """Log what is left, and remember where the next loop goes on."""
        if values is not None:
            self.add(values, steps)
        _counted[self._run][self._description] = self._first + steps


_outlets: WeakKeyDictionary[Run, LastValues] = WeakKeyDictionary()
_counted: WeakKeyDictionary[Run, dict[str, Step]] = WeakKeyDictionary()
"""By run and description the step that the next loop begins with."""


def _first_step(run: Run) -> Step:
    """Where a run goes on that is taken up again."""
    from flexlogger.tracking import api  # knows the counter of a script that uses the run API

    tracked = api.run
    return tracked.step if tracked is not None and tracked.session is run else run.identity.resume_step or 0


def _length(loader: Iterable[Any]) -> int | None:
    try:
        return len(loader)  # type: ignore[arg-type]  # one that has none raises TypeError
    except (TypeError, NotImplementedError):
        return None
