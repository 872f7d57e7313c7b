from __future__ import annotations

from collections.abc import Iterator

import pytest

import flexlogger.runs as runs


@pytest.fixture(autouse=True)
def finished() -> Iterator[None]:
    """No run is left open for the next test."""
    yield
    runs.finish()
