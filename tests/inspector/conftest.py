from __future__ import annotations

from collections.abc import Iterator

import pytest

from flexlogger import ParallelHandler


@pytest.fixture(autouse=True)
def one_handler_a_test() -> Iterator[None]:
    yield
    if ParallelHandler._one is not None:
        ParallelHandler._one.stop()
