"""A contender is driven over its pipes, and what it says or how it fails does not confuse its driver."""

from __future__ import annotations

from contextlib import ExitStack

import psutil
import pytest

from bench.driver import Worker, WorkerError
from bench.session import Session


def test_a_worker_measures_in_its_own_process() -> None:
    with Worker("bare") as worker:
        first = worker.round(pace=0, seconds=10.0, most=50)
        second = worker.round(pace=1000, seconds=0.01, most=0)
        assert first["steps"] == 50
        assert second["steps"] > 0
        assert worker.close() == {}


def test_a_worker_that_fails_says_why() -> None:
    with pytest.raises(WorkerError, match="no_such_contender"), Worker("no_such_contender"):
        pass
    with Worker("bare") as worker, pytest.raises(WorkerError, match="bare: round: TypeError"):
        worker.round(nonsense=1)


def test_turns_are_taken_and_a_failing_one_is_left_out() -> None:
    session = Session(quick=True, tell=lambda text: None)
    good, bad = {"pace": 0, "seconds": 1.0, "most": 5}, {"nonsense": 1}
    with Worker("bare") as one, Worker("bare") as other:
        found = session.interleave({"one": one, "other": other}, {"one": [good] * 3, "other": [good, bad, good]})
    assert {name: len(answers) for name, answers in found.items()} == {"one": 3, "other": 1}
    assert session.problems == [problem for problem in session.problems if "other" in problem or "bare" in problem]
    assert len(session.problems) == 1


def test_what_was_started_ends_with_the_session() -> None:
    with Session(quick=True, tell=lambda text: None) as session:
        idle = session.worker("bare", {})  # begins to get ready, and nobody waits for it
        assert psutil.pid_exists(idle.pid)
    assert not psutil.pid_exists(idle.pid)


def test_a_contender_that_cannot_start_is_left_out_and_named() -> None:
    with Session(quick=True, tell=lambda text: None) as session, ExitStack() as stack:
        started = {"good": session.worker("bare", {}), "bad": session.worker("no_such_contender", {})}
        assert list(session.ready(stack, started)) == ["good"]
        assert [problem.split(":")[0] for problem in session.problems] == ["bad"]
