"""Who draws runs from elsewhere: each in windows of its own, let go of when nothing comes, found again when it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flexlogger.records import Definition, End, MeterDef, PlotDef, Record
from flexlogger.replay import following as module
from flexlogger.replay.following import SILENT_S, Following
from flexlogger.runs.claims import STALE_S
from flexlogger.runs.segment import SegmentWriter
from flexlogger.server.process import ServerProcess
from flexlogger.sinks.where import server_of
from tests.end_to_end.test_owners import eventually, series
from tests.end_to_end.windows import points


class Run:
    """A run's folder as a receiver keeps it."""

    def __init__(self, base: Path, name: str, env: str, start: float = 100.0) -> None:
        self.folder = base / "project" / name
        self.writer = SegmentWriter(self.folder, name, env=env, uid=env, clock=lambda: start)
        meter = MeterDef("loss", "LastValueMeter", "loss")
        self.writer.append([Definition(start, (PlotDef("loss"),), (meter,))])
        self.step = 0
        self.start = start

    def log(self, count: int) -> None:
        self.writer.append([Record(n, self.start + n, {"loss": float(n)}) for n in range(self.step, self.step + count)])
        self.writer.commit()
        self.step += count

    def end(self) -> None:
        self.writer.append([End(self.start + self.step, "finished")])
        self.writer.commit()


class Wall:
    """A `Following` whose clock stands still, and what it said."""

    def __init__(self, base: Path, server: ServerProcess) -> None:
        self.now = 0.0
        self.told: list[str] = []
        where = server_of("127.0.0.1", server.port)
        self.following = Following(base, ["visdom"], where, None, self.told.append, clock=lambda: self.now)

    def show(self, run: Run) -> None:
        """Something came for a run; wait until it is shown."""
        self.following.follow(run.folder)
        shown = self.following.ask(run.folder)
        eventually(shown, True)

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.following._look()


@pytest.fixture
def wall(tmp_path: Path, server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wall]:
    monkeypatch.setattr(module, "LOOK_S", 3600.0)  # the test looks itself
    wall = Wall(tmp_path, server)
    yield wall
    assert wall.following.close(20)


@pytest.fixture
def env(request: pytest.FixtureRequest) -> str:
    return str(request.node.name.removeprefix("test_"))


def test_a_run_that_fell_silent_for_an_hour_is_drawn_in_full_when_it_is_back(
    wall: Wall, tmp_path: Path, server: ServerProcess, env: str
) -> None:
    run = Run(tmp_path, "r", env)
    run.log(50)
    wall.show(run)
    assert wall.following.url(run.folder).endswith(f"/env/{env}")
    wall.later(3600)
    assert wall.told[-1] == "project/r: nothing is heard of it any more"
    run.log(50)
    wall.show(run)
    assert points(server.url, env, "loss") == {"loss": series(0, 100)}


def test_live_runs_of_one_environment_do_not_share_windows(
    wall: Wall, tmp_path: Path, server: ServerProcess, env: str
) -> None:
    first, second = Run(tmp_path, "first", env), Run(tmp_path, "second", env)
    first.log(10)
    second.log(20)
    wall.show(first)
    wall.show(second)
    assert points(server.url, env, "loss") == {"loss": series(0, 10)}
    assert points(server.url, env, "loss", f"{env}-2") == {"loss": series(0, 20)}
    assert f"as '{env}-2': another live run draws the windows of '{env}'" in wall.told[-1]


def test_a_run_keeps_the_windows_it_got_beside_another_one_over_a_restart(
    tmp_path: Path, server: ServerProcess, env: str
) -> None:
    first, second = Run(tmp_path, "first", env), Run(tmp_path, "second", env)
    first.log(10)
    second.log(20)
    for order in ([first, second], [second, first]):
        wall = Wall(tmp_path, server)
        for run in order:
            wall.show(run)
        assert points(server.url, env, "loss") == {"loss": series(0, 10)}
        assert points(server.url, env, "loss", f"{env}-2") == {"loss": series(0, 20)}
        assert wall.following.close(20)


@pytest.mark.parametrize("gone", ["ended", "silent"])
def test_a_run_that_is_over_makes_way_for_the_next(
    wall: Wall, tmp_path: Path, server: ServerProcess, env: str, gone: str
) -> None:
    env = env.partition("[")[0] + gone
    first, second = Run(tmp_path, "first", env), Run(tmp_path, "second", env)
    first.log(10)
    if gone == "ended":
        first.end()
    wall.show(first)
    if gone == "silent":
        wall.now += STALE_S + 1
    second.log(20)
    wall.show(second)
    assert points(server.url, env, "loss") == {"loss": series(0, 20)}


def test_a_newer_run_of_the_same_process_takes_the_windows_at_once(
    wall: Wall, tmp_path: Path, server: ServerProcess, env: str
) -> None:
    """A notebook's cell that was run again: the older run goes on logging, and is drawn no more."""
    older, newer = Run(tmp_path, "older", env), Run(tmp_path, "newer", env, start=200.0)
    older.log(10)
    wall.show(older)
    newer.log(20)
    wall.show(newer)
    older.log(10)
    wall.show(older)
    assert points(server.url, env, "loss") == {"loss": series(0, 20)}


def test_an_older_run_that_is_heard_of_late_does_not_take_them_back(
    wall: Wall, tmp_path: Path, server: ServerProcess, env: str
) -> None:
    older, newer = Run(tmp_path, "older", env), Run(tmp_path, "newer", env, start=200.0)
    newer.log(20)
    wall.show(newer)
    older.log(10)
    wall.show(older)
    assert points(server.url, env, "loss") == {"loss": series(0, 20)}
    assert not any("another live run" in line for line in wall.told)


def test_a_run_that_has_ended_is_let_go_of_and_one_that_rests_is_not(wall: Wall, tmp_path: Path, env: str) -> None:
    over, rests = Run(tmp_path, "over", env), Run(tmp_path, "rests", f"{env}-2")
    over.log(5)
    over.end()
    rests.log(5)
    wall.show(over)
    wall.show(rests)
    wall.later(SILENT_S / 2)
    assert wall.told[-1] == "project/over: it has ended"
    assert (wall.following.url(over.folder), wall.following.url(rests.folder) != "") == ("", True)


def test_windows_that_somebody_took_are_left_to_him(wall: Wall, tmp_path: Path, env: str) -> None:
    """As after the monitor's machine was asleep."""
    run = Run(tmp_path, "r", env)
    run.log(5)
    wall.show(run)
    (claim,) = (tmp_path / ".windows").glob("*.json")
    claim.unlink()
    claim.write_text("{}")
    wall.later(1)
    run.log(5)
    assert wall.following._runs[run.folder].views == []
