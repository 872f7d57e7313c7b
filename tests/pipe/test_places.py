"""What a trainer can rely on wherever its dashboards are drawn: the same tests in a thread, a process and a monitor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import flexlogger.runs as wandb
from flexlogger import FlexLogger, TooledModelLogger
from flexlogger.records import Event
from flexlogger.runs.find import find_run
from flexlogger.runs.reader import RunReader
from flexlogger.sinks.visdom import window_id
from tests.end_to_end.scripts import read_run
from tests.end_to_end.test_owners import eventually, series
from tests.pipe.places import Place

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
