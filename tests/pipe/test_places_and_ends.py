"""Dashboards that go away, processes that fork and end: the same in a thread, a process and a monitor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flexlogger import FlexLogger
from flexlogger.records import Record
from flexlogger.runs.card import read_card
from flexlogger.runs.find import find_run
from flexlogger.runs.reader import RunReader
from flexlogger.server.process import ServerProcess, start_server
from tests.end_to_end.scripts import start
from tests.end_to_end.test_owners import eventually, series
from tests.pipe.places import Monitor, Place
from tests.pipe.test_places import on_disk
from tests.ports import free_port

# ---- dashboards that go away


def test_a_dashboard_that_comes_back_with_nothing_is_drawn_in_full(
    place: Place, env: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The same port, another server: whoever draws finds out, and training never waited."""
    first = start_server(tmp_path / "envs", free_port())
    with away_from(place, first, tmp_path) as there, FlexLogger({"loss": {}}, env=env, **there.settings) as stat:
        for step in range(100):
            stat.add(loss=float(step))
            stat.log(step)
        assert stat.flush(60)
        first.kill()
        for step in range(100, 200):
            stat.add(loss=float(step))
            stat.log(step)
        assert stat.flush(10, views=False)
        assert not stat.flush(0.5)
        eventually(lambda: stat.status()["views"][there.view]["ok"], False)
        with start_server(tmp_path / "others", first.port):
            assert stat.flush(60)
            assert there.lines(env, "loss")["loss"] == series(0, 200)
            eventually(lambda: stat.status()["views"][there.view]["ok"], True)


class away_from:
    """The place with a server of the test's own; and a monitor of its own where one is needed."""

    def __init__(self, place: Place, server: ServerProcess, folder: Path) -> None:
        self._monitor = None
        if place.word == "tcp":
            self._monitor = Monitor(folder / "there", "--server", "127.0.0.1", "--port", server.port)
        self.place = Place(place.word, server, self._monitor)

    def __enter__(self) -> Place:
        return self.place

    def __exit__(self, *_: object) -> None:
        if self._monitor is not None:
            self._monitor.stop()


def test_an_end_without_a_dashboard_takes_a_moment_and_says_what_to_do(
    place: Place, env: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = start_server(tmp_path / "envs")
    with away_from(place, server, tmp_path) as there:
        stat = FlexLogger({"loss": {}}, env=env, **there.settings)
        stat.add(loss=0.5)
        stat.log(0)
        assert stat.flush(60)
        server.kill()
        stat.add(loss=0.25)
        stat.log(1)
        stat.flush(1)
        stat.close()
    assert on_disk(stat.folder, "loss") == [(0, 0.5), (1, 0.25)]
    command = "flexlogger runs push" if place.word == "tcp" else "flexlogger replay"
    (said,) = (record.getMessage() for record in caplog.records if "the dashboard is not complete" in record.message)
    assert command in said


# ---- other processes


def test_a_flush_waits_for_no_dashboard_that_somebody_else_draws_now(
    place: Place, env: str, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = {"pipe": "tcp://127.0.0.1:1"} if place.word == "tcp" else {"port": 1}
    with FlexLogger({"loss": {}}, env=env, **{**place.settings, **nobody}) as stat:
        stat.add(loss=0.5)
        stat.log(0)
        with ThreadPoolExecutor() as executor:
            flushed = executor.submit(stat.flush, 600)
            eventually(lambda: stat.status()["views"][place.view]["ok"], False)
            claims = stat.session.drawing._ownership.claims  # type: ignore[union-attr]
            stolen = claims[0].path.with_name("stolen.json")
            stolen.write_bytes(b'{"token": "other", "beat": 1e12}')
            stolen.replace(claims[0].path)  # as a process does that found this one asleep
            assert flushed.result(60)
        assert not stat.session.owner


def test_a_forked_worker_logs_into_the_same_windows(place: Place, env: str) -> None:
    with FlexLogger({"loss": {}, "seen": {}}, env=env, **place.settings) as stat:
        stat.add(loss=0.5)
        stat.log(0)
        assert stat.flush(60)
        wait, go_on = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(go_on)
            stat.add(seen=7.0)
            stat.log(1)
            stat.add(seen=float("nan"))
            stat.log(2)
            os.read(wait, 1)  # until the other end is closed
            fine = stat.flush(20, views=False)
            stat.close()
            os._exit(0 if fine else 1)
        os.close(wait)
        eventually(
            lambda: place.lines(env, "seen").get("seen"), [(1, 7.0), (2, None)]
        )  # by itself, while the worker lives
        eventually(lambda: stat.status()["nonfinite"], {"seen": {"value": "nan", "step": 2}})
        os.close(go_on)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        stat.add(loss=0.25)
        stat.log(2)
        assert stat.flush(20)
        assert place.lines(env, "loss")["loss"] == [(0, 0.5), (2, 0.25)]
        notes = place.windows(env)["seen"]["content"]["layout"]["annotations"]
        assert [note["text"] for note in notes] == ["NaN at step 2"]
        assert stat.status()["views"][place.view]["ok"]


HEAD = """
    import os, signal, sys
    from flexlogger import FlexLogger, TooledModelLogger
    stat = FlexLogger({{"loss": {{}}}}, env={env!r}, run={env!r}, dir=FOLDER, **{settings!r})
    def log(first, last):
        for n in range(first, last):
            stat.add(loss=float(n)); stat.log(n)
"""


def script(place: Place, env: str, body: str) -> str:
    return textwrap.dedent(HEAD).format(env=env, settings=place.settings) + textwrap.dedent(body)


def test_a_killed_trainer_has_crashed_and_all_that_is_on_disk_is_there(place: Place, env: str, tmp_path: Path) -> None:
    """Whoever draws elsewhere shows the rest too, for the trainer that could not."""
    body = "log(0, 100); assert stat.flush(60)\nlog(100, 200); stat.flush(20, views=False); os.kill(os.getpid(), 9)"
    process = start(script(place, env, body), tmp_path)
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (-9, "")
    here = tmp_path / "default" / env
    assert on_disk(here, "loss") == series(0, 200)
    assert find_run(here, Path()).status == "crashed"
    if place.word == "thread":
        assert place.lines(env, "loss")["loss"][:100] == series(0, 100)
        return
    there = place.folder(here)
    last = on_disk(there, "loss") if place.word == "tcp" else series(0, 200)
    eventually(lambda: place.lines(env, "loss")["loss"], last)
    eventually(lambda: find_run(there, Path()).status, "crashed")
    if place.word == "process":
        eventually(lambda: find_run(here, Path()).card.status, "crashed")


@pytest.mark.parametrize(
    ("ending", "code", "status"),
    [
        ("sys.exit(3)", 3, "crashed"),
        ("os.kill(os.getpid(), signal.SIGINT)", -2, "crashed"),
        ("1 / 0", 1, "crashed"),
        ("sys.exit()", 0, "finished"),
    ],
    ids=["sys.exit(3)", "Ctrl-C", "an exception", "sys.exit()"],
)
def test_a_run_ends_as_its_script_does(
    place: Place, env: str, tmp_path: Path, ending: str, code: int, status: str
) -> None:
    process = start(script(place, env, f"log(0, 50)\n{ending}"), tmp_path)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == code, errors
    assert "flexlogger:" not in errors
    here = tmp_path / "default" / env
    assert find_run(here, Path()).card.status == status
    assert RunReader(place.folder(here)).ended == status
    assert place.lines(env, "loss")["loss"] == series(0, 50)
    eventually(lambda: find_run(place.folder(here), Path()).status, status)


def test_a_second_ctrl_c_ends_the_waiting_and_the_run_has_crashed_all_the_same(
    place: Place, env: str, tmp_path: Path
) -> None:
    """With no dashboard there is something to wait for; what one has to do then is told, and no traceback of ours."""
    place.settings |= {"pipe": "tcp://127.0.0.1:1"} if place.word == "tcp" else {"port": 1}
    process = start(script(place, env, "log(0, 50)\nprint('ready', flush=True)\nsignal.pause()"), tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    while process.stderr.readline() != "KeyboardInterrupt\n":
        assert process.poll() is None
    here = tmp_path / "default" / env
    eventually(lambda: ['"end":"crashed"' in path.read_text() for path in here.glob("*.jsonl")], [True])
    # now it waits for dashboards
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGINT
    assert "flexlogger: the dashboard is not complete; everything is in" in errors
    assert "session.py" not in errors
    assert on_disk(here, "loss") == series(0, 50)
    assert RunReader(here).ended == "crashed"
    card = read_card(here)
    assert card is not None
    assert card.status == "crashed"


def test_a_script_is_run_once(place: Place, env: str, tmp_path: Path) -> None:
    """No guard around its main part, which a process that is spawned would run again."""
    path = tmp_path / "script.py"
    body = "print('here', __name__, flush=True)\nlog(0, 10)\nassert stat.flush(60)\nstat.close()"
    path.write_text(f"FOLDER = {str(tmp_path)!r}\n" + script(place, env, body))
    ended = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "here __main__\n", "")
    assert place.lines(env, "loss")["loss"] == series(0, 10)


def test_records_keep_their_order_and_come_once(place: Place, env: str) -> None:
    with FlexLogger({"loss": {}}, env=env, max_points=10**6, **place.settings) as stat:
        for step in range(20_000):
            stat.add(loss=float(step))
            stat.log(step)
        assert stat.flush(60)
        items = list(RunReader(place.folder(stat.folder)).items())
    assert [item.step for item in items if isinstance(item, Record)] == list(range(20_000))
