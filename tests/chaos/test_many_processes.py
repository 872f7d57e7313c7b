"""Several processes write one run: every record is in the log exactly once, and the owner's windows show them all."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from flexlogger.runs.claims import Claim
from flexlogger.server.process import ServerProcess
from tests.chaos.checks import lines, on_disk, until_drawn
from tests.chaos.figures import Figures
from tests.chaos.loading import Loading, train_with_workers
from tests.chaos.training import Plan, Training
from tests.end_to_end.scripts import read_run

pytestmark = pytest.mark.chaos


def settings(folder: Path, server: ServerProcess, env: str, run: str = "r") -> dict[str, Any]:
    return {"dir": str(folder / "runs"), "run": run, "env": env, "port": server.port, "max_points": 10**6}


def plan(folder: Path, server: ServerProcess, env: str, number: int, run: str = "r") -> Plan:
    """The `number`th process: its steps are a million further on than the last one's."""
    wanted = settings(folder, server, env, run)
    return Plan(home=folder / f"home{number}", settings=wanted, first=number * 10**6, seed=number, flush_s=60)


@pytest.mark.parametrize("persistent", [False, True])
def test_workers_of_a_data_loader(tmp_path: Path, server: ServerProcess, figures: Figures, persistent: bool) -> None:
    env = f"workers-{persistent}"
    wanted = Loading(
        home=tmp_path / "home", settings=settings(tmp_path, server, env), rows=10_000, persistent=persistent, flush_s=60
    )
    with Training(wanted, train_with_workers) as training:
        report = training.ended()
        logged = training.truth.points()
    segments = read_run(tmp_path / "runs" / "default" / "r")
    seen = sorted(point for segment in segments for point in segment.series("seen"))
    expected = [(index, float(index)) for index in range(wanted.epochs * wanted.items)]
    assert seen == expected
    assert sorted(point for segment in segments for point in segment.series("loss")) == logged
    assert not any(segment.damage for segment in segments)
    assert len(segments) == 1 + 2 * (1 if persistent else wanted.epochs)
    assert report["shown"] is True
    assert report["said"] == []
    drawn = lines(server.url, "loss", env, env)
    assert (drawn["loss"], drawn["seen"]) == (logged, expected)
    figures(logged=len(logged) + len(expected), on_disk=len(seen) + len(logged), segments=len(segments))


@pytest.mark.parametrize("last", ["the owner", "the other", "the other, at once"])
def test_two_processes_in_one_run(tmp_path: Path, server: ServerProcess, figures: Figures, last: str) -> None:
    env, folder = f"two-{last}", tmp_path / "runs" / "default" / "r"
    with (
        Training(plan(tmp_path, server, env, 0)) as one,
        Training(plan(tmp_path, server, env, 1)) as two,
    ):
        one.wait_for(1000)
        two.wait_for(1000)
        owner = owner_of(folder, [one, two])
        other = two if owner is one else one
        if last == "the owner":
            other.finish()
            report = owner.finish()
        else:
            owner.finish()
            if last == "the other":
                assert owner_of(folder, [other]) is other, "it takes over"
            report = other.finish()
        logged = one.truth.points() + two.truth.points()
    assert report["shown"] is True
    assert sorted(on_disk(folder)) == logged
    assert lines(server.url, "loss", env, env)["loss"] == logged
    figures(logged=len(logged), on_disk=len(logged))


def test_owners_that_are_killed_one_after_the_other(tmp_path: Path, server: ServerProcess, figures: Figures) -> None:
    folder = tmp_path / "runs" / "default" / "r"
    with ExitStack() as stack:
        left = [stack.enter_context(Training(plan(tmp_path, server, "heirs", number))) for number in range(4)]
        seconds = []
        for training in left:
            training.wait_for(300)
        while len(left) > 1:
            owner = owner_of(folder, left)
            left.remove(owner)
            owner.kill()
            killed = time.monotonic()
            counts = {training: training.truth.count for training in left}
            for training, count in counts.items():
                until_drawn(training.plan.first + count, server.url, "heirs", "heirs", "loss", training.plan.first)
            seconds.append(time.monotonic() - killed)
        (last,) = left
        report = last.finish()
        written = sorted(on_disk(folder))
    assert report["shown"] is True
    assert report["status"]["owner"] is True
    assert lines(server.url, "loss", "heirs", "heirs")["loss"] == written
    assert [step for step, _ in written] == sorted({step for step, _ in written}), "none twice"
    figures(processes=4, killed=3, on_disk=len(written), longest_until_drawn_again_s=max(seconds))


def test_an_owner_that_was_frozen_finds_its_run_drawn_by_another(
    tmp_path: Path, server: ServerProcess, figures: Figures
) -> None:
    folder = tmp_path / "runs" / "default" / "r"
    with (
        Training(plan(tmp_path, server, "frozen", 0)) as one,
        Training(plan(tmp_path, server, "frozen", 1)) as two,
    ):
        one.wait_for(300)
        two.wait_for(300)
        frozen = owner_of(folder, [one, two])
        other = two if frozen is one else one
        os.kill(frozen.pid, signal.SIGSTOP)
        stopped = time.monotonic()
        assert owner_of(folder, [other]) is other
        taken = time.monotonic() - stopped
        os.kill(frozen.pid, signal.SIGCONT)
        frozen.wait_for(frozen.truth.count + 1000)
        late = frozen.finish()
        report = other.finish()
        logged = one.truth.points() + two.truth.points()
    assert [said for _, said in late["said"] if "was not heard of for too long" in said]
    assert len(late["said"]) == 1
    assert report["shown"] is True
    assert sorted(on_disk(folder)) == logged
    assert lines(server.url, "loss", "frozen", "frozen")["loss"] == logged
    figures(logged=len(logged), on_disk=len(logged), taken_over_after_s=taken)


def owner_of(folder: Path, trainings: list[Training]) -> Training:
    """Which of them holds the run now."""
    deadline = time.monotonic() + 30
    while True:
        holder = Claim(folder / "owner.json", "nobody").holder()
        for training in trainings:
            if holder is not None and holder.pid == training.pid:
                return training
        assert time.monotonic() < deadline, "nobody owns the run"
        time.sleep(0.05)


def test_runs_in_the_same_windows_at_the_same_moment(tmp_path: Path, server: ServerProcess, figures: Figures) -> None:
    with ExitStack() as stack:
        runs = [stack.enter_context(Training(plan(tmp_path, server, "crowd", n, run=f"r{n}"))) for n in range(4)]
        for training in runs:
            training.wait_for(500)
        reports = [training.finish() for training in runs]
    uids = {report["uid"] for report in reports}
    assert uids == {"crowd", "crowd-2", "crowd-3", "crowd-4"}
    for training, report in zip(runs, reports, strict=True):
        assert lines(server.url, "loss", "crowd", report["uid"])["loss"] == training.truth.points()
        assert len(report["said"]) == (report["uid"] != "crowd")
    figures(runs=4, uids=len(uids), logged=sum(training.truth.count for training in runs))
