"""The benchmark of pipes measures all that it says, in seconds where it is asked to be quick."""

from __future__ import annotations

import os
from contextlib import suppress

import psutil

from bench import pipes
from bench.session import Session


def left_behind() -> list[psutil.Process]:
    """Processes of this test that are still there: they were given its folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("FLEXLOGGER_DIR") == os.environ["FLEXLOGGER_DIR"]:
                found.append(process)
    return found


def test_a_quick_run_measures_everyone() -> None:
    session = Session(quick=True, tell=lambda text: None)
    result = pipes.run(session)
    assert session.problems == []
    small, large, put = result.tables
    assert [row[0] for row in small.rows] == [pipes.OURS, pipes.PLAIN, pipes.QUEUE, pipes.TCP]
    assert [row[0] for row in large.rows] == [pipes.OURS, pipes.PLAIN, pipes.QUEUE]
    assert [row[0] for row in put.rows] == ["encode and append", "put"]
    assert len(result.targets) == 4
    _, alive = psutil.wait_procs(left_behind(), timeout=20)
    assert not alive
