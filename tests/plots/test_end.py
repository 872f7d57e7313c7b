"""The end of a trace: the same points as everywhere else, and the interpreter is kept while they are chosen."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexlogger.plots.end import End
from flexlogger.plots.thinning import Floats, along, bucket, extremes


def thinned(x: Floats, y: Floats, level: int, log: bool = False) -> list[tuple[float, float]]:
    kept = extremes(bucket(along(x, log), level), y)
    return list(zip(x[kept].tolist(), y[kept].tolist(), strict=True))


def points(end: End) -> list[tuple[float, float]]:
    return list(zip(end.x.tolist(), end.y.tolist(), strict=True))


@given(st.integers(0, 2**32 - 1), st.integers(-3, 9), st.integers(1, 3), st.integers(1, 1500), st.booleans())
def test_points_behind_all_others_are_thinned_as_if_all_had_come_at_once(seed, level, rises, first, log):
    random = np.random.default_rng(seed)
    x = np.cumsum(random.exponential(size=3000))
    y = random.integers(-3, 4, 3000).astype(float)
    kept = extremes(bucket(along(x[:first], log), level), y[:first])
    end = End(((x[:first][kept], y[:first][kept]),), x[first - 1], level, log)
    for start, stop in ((first, 1700), (1700, 1701), (1701, 3000)):
        more = end.with_more(x[start:stop], y[start:stop])
        assert more is not None
        end = more
        assert points(end) == thinned(x[:stop], y[:stop], level, log)
    for rise in range(1, rises + 1):
        end = end.coarser()
        assert (end.level, points(end)) == (level + rise, thinned(x, y, level + rise, log))
        assert end.count == len(end.x)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([3.0, 4.0], [0.0, 0.0]),  # not behind the last
        ([6.0, 6.0], [0.0, 0.0]),
        ([7.0, 6.0], [0.0, 0.0]),
        ([6.0, np.nan], [0.0, 0.0]),
        ([6.0, np.inf], [0.0, 0.0]),
        ([6.0, 7.0], [0.0, np.nan]),
        ([6.0, 7.0], [-np.inf, 0.0]),
    ],
)
def test_what_does_not_belong_at_the_end_is_not_taken(x, y):
    end = End(((np.array([1.0]), np.array([1.0])),), last=5.0, level=0)
    assert end.with_more(np.array(x), np.array(y)) is None


@pytest.fixture
def no_turns() -> Iterator[None]:
    """No thread has to give way to another that waits."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(60.0)
    yield
    sys.setswitchinterval(before)


def gives_way(call: Callable[[], object]) -> bool:
    """Whether a thread that waits for the interpreter has it before `call` has run 50 times."""
    start, came = threading.Lock(), threading.Event()
    start.acquire()

    def wait() -> None:
        with start:
            came.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    start.release()
    for _ in range(50):
        call()
    gave = came.is_set()
    waiting.join()
    return gave


def test_the_interpreter_is_kept_while_points_are_thinned(no_turns):
    x = np.arange(6000.0)
    y = np.random.default_rng(0).normal(size=6000)
    end = End(((x[:1000], y[:1000]),), last=999.0, level=3)
    assert not gives_way(lambda: end.with_more(x[1000:], y[1000:]))
    assert not gives_way(end.coarser)
    assert any(gives_way(lambda: thinned(x, y, 3)) for _ in range(100))  # so a wait would have been seen
