"""What a trainer can rely on wherever its dashboards are drawn: the same tests in a thread, a process and a monitor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import flexlogger.runs as wandb
from flexlogger import FlexLogger, TooledModelLogger
from flexlogger.records import Event, Record
from flexlogger.runs.card import read_card
from flexlogger.runs.find import find_run
from flexlogger.runs.reader import RunReader
from flexlogger.server.process import ServerProcess, start_server
from flexlogger.sinks.visdom import window_id
from tests.end_to_end.scripts import read_run, start
from tests.end_to_end.test_owners import eventually, series
from tests.pipe.places import Monitor, Place
from tests.ports import free_port

PLOTS: dict[str, Any] = {
    "loss": {"opts": {"ytype": "log"}},
    "thinned": {"max_points": 50},
    "confusion": {"type": "heatmap", "opts": {"labels": ["a", "b"]}},
    "samples": {"type": "images"},
    "note": {"type": "text"},
    "parts": {"type": "bar"},
}
METERS: dict[str, Any] = {
    "train": {"type": "AverageValueMeter", "target": "loss", "display": {"band": "std"}},
    "thinned": {"type": "LastValueMeter"},
}


def declare(env: str, settings: dict[str, Any], **more: Any) -> FlexLogger:
    return FlexLogger(PLOTS, METERS, env=env, **settings, **more)


def train(stat: FlexLogger, steps: int = 300) -> None:
    """Some of everything: bands, a value that is not finite, more points than are shown, arrays, text."""
    for step in range(steps):
        value = 1 / (1 + step)
        stat.add(train=value, thinned=float("nan") if step == 7 else value)
        stat.add(train=value / 2)
        stat.log(step)
    image = np.linspace(0, 1, 3 * 8 * 8, dtype=np.float32).reshape(1, 3, 8, 8)
    stat.add(confusion=np.eye(2), samples=image, note="done", parts=np.arange(40.0))
    stat.log(steps)


def on_disk(folder: Path, name: str = "train") -> list[tuple[float, float]]:
    found = RunReader(folder).series(name)
    return list(zip(found.steps.tolist(), found.values.tolist(), strict=True))


# ---- what is logged and shown


def test_the_log_and_every_window_are_what_a_thread_makes_of_them(place: Place, env: str) -> None:
    with declare(env, place.settings) as stat:
        train(stat)
        assert stat.flush(60)
        shown, folder, uid = place.windows(env), stat.folder, stat.uid
    with declare(f"{env}-thread", {"port": place.server.port}) as by_thread:
        train(by_thread)
        assert by_thread.flush(60)
        expected = place.windows(f"{env}-thread")
    assert list(shown) == list(expected)
    for title, window in shown.items():
        assert window["id"] == window_id(uid, env, title)
        assert (window["type"], window["content"]) == (expected[title]["type"], expected[title]["content"]), title
    assert on_disk(folder) == on_disk(by_thread.folder)
    assert on_disk(place.folder(folder)) == on_disk(folder)
    assert not RunReader(place.folder(folder)).damage


def go_through_it_all(env: str, settings: dict[str, Any]) -> Path:
    """Media and charts of the run API, in one run with a logger whose plots change and with a model's statistics."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2))
    with wandb.init(id=env, env=env, **settings) as run:
        wandb.define_metric("val/*", step_metric="epoch")
        table = wandb.Table(columns=["x", "y"], data=[[1, 2], [3, 5]])
        run.log({"picture": wandb.Image(np.zeros((4, 4)), caption="black"), "pages": wandb.Html("<b>bold</b>")})
        run.log({"weights": wandb.Histogram(np.arange(100)), "chart": wandb.plot.line(table, "x", "y", title="y")})
        run.log({"cm": np.eye(3), "val": {"loss": 0.5}, "epoch": 3})
        with FlexLogger({"acc": {}, "gone": {}}) as stat:
            stat.add(acc=0.5, gone=1.0)
            stat.log(0)
            assert stat.flush(60)
            stat.add_plot("extra", opts={"ytype": "log"})
            stat.add_meter("more", "SumMeter", target="extra")
            stat.remove("gone")
            stat.add(acc=0.75, more=2.0)
            stat.log(1)
            layers = TooledModelLogger(model, logger=stat, sources=["weights", "grads"], stats=["norm", "histogram"])
            model(torch.ones(2, 4)).sum().backward()
            layers.step(log=True)
            layers.close()
        assert run.flush(60)
        return Path(run.dir)


def test_media_charts_layers_and_what_changes_while_running_are_shown_as_by_a_thread(place: Place, env: str) -> None:
    folder = go_through_it_all(env, place.settings)
    shown = place.windows(env)
    go_through_it_all(f"{env}-thread", {"port": place.server.port})
    expected = place.windows(f"{env}-thread")
    assert {"picture", "pages", "weights", "chart", "cm", "val.loss", "acc", "extra", "layer_0"} <= set(shown)
    assert list(shown) == list(expected)
    for title, window in shown.items():
        assert (window["type"], window["content"]) == (expected[title]["type"], expected[title]["content"]), title
    assert not RunReader(place.folder(folder)).damage


def test_the_run_api_draws_there_too(place: Place, env: str) -> None:
    with wandb.init(id=env, env=env, **place.settings) as run:
        for step in range(20):
            run.log({"loss": float(step)})
        run.log({"words": wandb.Table(columns=["word"], data=[["cat"]])})
        assert run.flush()
        folder = Path(run.dir)
    assert place.lines(env, "loss")["loss"] == series(0, 20)
    assert "words" in place.windows(env)
    assert RunReader(place.folder(folder)).ended == "finished"


def test_an_offline_run_sends_nothing(place: Place, env: str) -> None:
    with wandb.init(id=env, env=env, mode="offline", **place.settings) as run:
        run.log({"loss": 0.5})
    assert set(run.session.status()["views"]) == {"card"}
    assert place.there is None or not place.folder(Path(run.dir)).exists()


def test_status_says_the_same_of_a_view(place: Place, env: str) -> None:
    with declare(env, place.settings) as stat:
        train(stat, 10)
        assert stat.flush(60)
        eventually(lambda: stat.status()["views"][place.view]["ok"], True)
        status = stat.status()
    view = status["views"][place.view]
    assert set(status["views"]) == {"card", place.view}
    assert {"ok", "failures", "outages", "away_s", "error", "flushes", "unseen", "damaged", "behind"} <= set(view)
    assert (view["failures"], view["outages"], view["error"], view["unseen"], view["behind"]) == (0, 0, "", 0, 0)
    assert (status["dropped"], status["stuck"], status["queued"]) == ({}, False, 0)
    assert status["nonfinite"]["thinned"]["step"] == 7
    assert status["written"] >= 11


def test_close_shows_what_is_left_and_the_card_says_so(place: Place, env: str) -> None:
    stat = declare(env, place.settings)
    train(stat, 50)
    stat.close()
    assert [step for step, _ in place.lines(env, "loss")["train"]] == list(range(50))
    eventually(lambda: find_run(place.folder(stat.folder), Path()).card.status, "finished")
    assert RunReader(place.folder(stat.folder)).ended == "finished"


def test_a_run_that_is_taken_up_again_shows_both_halves(place: Place, env: str) -> None:
    """What it does again is hidden, and stays in the log."""
    for first, last, beyond in ((0, 50, 60), (50, 100, 100)):
        with FlexLogger({"loss": {}}, env=env, run=env, resume_step=first or None, **place.settings) as stat:
            for step in range(first, beyond):
                stat.add(loss=float(step) if step < last else -1.0)
                stat.log(step)
            assert stat.flush(60)
    assert place.lines(env, "loss")["loss"] == series(0, 100)
    for folder in (stat.folder, place.folder(stat.folder)):
        assert [step for segment in read_run(folder) for step, _ in segment.series("loss")] == [
            *range(60),
            *range(50, 100),
        ]
    eventually(lambda: find_run(place.folder(stat.folder), Path()).card.last_step, 99)


# ---- what is dropped


def test_what_a_full_queue_drops_is_counted_and_told_everywhere(
    place: Place, env: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with FlexLogger({"loss": {}}, env=env, **place.settings) as stat:
        assert stat.flush(60)
        monkeypatch.setattr("flexlogger.pipe.thread.MISSES", 0)
        stat._pipe._max_bytes = 100 * 512
        stat._pipe._set_limit()
        with stat._pipe._lock:  # nobody writes
            for step in range(1000):
                stat.add(loss=float(step))
                stat.log(step)
        assert stat.flush(60)
        dropped = stat.status()["dropped"]
        kept = on_disk(stat.folder, "loss")
    assert dropped == {"queue full": 1000 - len(kept)}
    assert 0 < len(kept) < 200
    told = [item for item in RunReader(place.folder(stat.folder)).items() if isinstance(item, Event)]
    assert [event.info for event in told if event.kind == "drops"] == [dropped]
    assert find_run(place.folder(stat.folder), Path()).card.dropped == dropped
    assert place.lines(env, "loss")["loss"] == kept
    assert sum("dropped, by reason" in record.getMessage() for record in caplog.records) == 1


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
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGINT
    assert "flexlogger: the dashboard is not complete; everything is in" in errors
    assert "session.py" not in errors
    here = tmp_path / "default" / env
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
