"""A replay gives the windows that were live, whatever happened to the run. Real runs, real servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flexlogger import FlexLogger
from flexlogger.errors import RunLogError, ServerError, UnknownNameError, ValueRefusedError
from flexlogger.replay.draw import replay
from flexlogger.server.process import ServerProcess
from tests.replay.windows import windows

PLOTS = {
    "loss": {"type": "line", "opts": {"ytype": "log", "smoothing": 0.3}},
    "many": {"type": "line", "max_points": 200, "opts": {"xlabel": "step"}},
    "spread": {"type": "line"},
    "over_time": {"type": "line", "x": "time"},
    "elsewhere": {"type": "line", "opts": {"env": "replayed-elsewhere"}},
    "confusion": {"type": "heatmap", "opts": {"labels": ["cat", "dog"]}},
    "weights": {"type": "histogram"},
    "picture": {"type": "image", "opts": {"caption": "at {step}"}},
    "batch": {"type": "images", "opts": {"nrow": 2}},
    "said": {"type": "text"},
    "rows": {"type": "table"},
    "empty": {"type": "line"},
}
METERS = {
    "test_loss": {"type": "LastValueMeter", "target": "loss"},
    "train_loss": {"type": "AverageValueMeter", "target": "loss"},
    "noise": {"type": "LastValueMeter", "target": "many"},
    "mean": {"type": "AverageValueMeter", "target": "spread", "display": {"band": "std"}},
    "timed": {"type": "LastValueMeter", "target": "over_time"},
    "there": {"type": "LastValueMeter", "target": "elsewhere"},
    "cm": {"type": "ConfusionMeter", "opts": {"k": 2}, "target": "confusion"},
}


def train(stat: FlexLogger, steps: range) -> None:
    random = np.random.default_rng(steps.start)
    for step in steps:
        stat.add(train_loss=1 / (step + 1), noise=float(random.normal()), timed=float(step), there=float(step))
        stat.add(mean=[float(random.normal())])
        stat.add(mean=[float(random.normal())])
        if step % 10 == 0:
            stat.add(test_loss=float("nan") if step == 20 else 1.0)
        stat.log(step)
    stat.add(cm=[np.array([0, 1, 1]), np.array([0, 1, 0])])
    stat.add(weights=random.normal(size=500), said=f"<b>{steps.stop}</b>", rows=[{"a": 1, "b": "x"}])
    stat.add(picture=random.integers(0, 255, (8, 8, 3), dtype=np.uint8))
    stat.add(batch=random.integers(0, 255, (3, 3, 16, 16), dtype=np.uint8))
    stat.log(steps.stop)


def test_windows_equal_the_live_ones_whatever_is_in_them(server: ServerProcess, fresh_server: ServerProcess) -> None:
    with FlexLogger(PLOTS, METERS, run="every", env="every", uid="mine", port=server.port) as stat:
        train(stat, range(3000))
        assert stat.flush()
        stat.remove("test_loss")
        stat.add_meter("val_loss", "LastValueMeter", target="loss")
        stat.add_plot("late")
        stat.add(val_loss=0.5, train_loss=0.25, late=1.0)
        stat.log(3001)
    told = replay("every", port=fresh_server.port)
    assert (told.run, told.status, told.env, told.uid) == ("default/every", "finished", "every", "mine")
    assert (told.segments, bool(told.damage), told.complete) == (1, False, True)
    assert told.url == f"http://localhost:{fresh_server.port}/env/every"
    live = windows(server, "every")
    assert {w["title"] for w in live.values()} >= {*PLOTS, "late"} - {"elsewhere"}
    assert windows(fresh_server, "every") == live
    assert windows(fresh_server, "replayed-elsewhere") == windows(server, "replayed-elsewhere") != {}
    replay("every", port=server.port)
    assert windows(server, "every") == live, "on the same server they are the same windows"


def test_a_resumed_run_is_drawn_as_it_was(server: ServerProcess, fresh_server: ServerProcess) -> None:
    for steps in (range(0, 30), range(20, 60)):
        settings: Any = {"resume_step": 20} if steps.start else {}
        with FlexLogger(PLOTS, METERS, run="resumed", env="resumed", port=server.port, **settings) as stat:
            train(stat, steps)
    told = replay("resumed", port=fresh_server.port)
    assert told.segments == 2
    assert windows(fresh_server, "resumed") == windows(server, "resumed")


def test_other_windows_where_they_are_asked_for(fresh_server: ServerProcess) -> None:
    with FlexLogger({"loss": {}}, {"a": {"type": "LastValueMeter", "target": "loss"}}, run="r", sinks=[]) as stat:
        stat.add(a=1.0)
        stat.log(0)
    assert replay("r", port=fresh_server.port, env="other").uid == "other"
    assert replay("r", port=fresh_server.port, env="other", uid="second").uid == "second"
    assert len(windows(fresh_server, "other")) == 2


def test_damage_is_counted_and_the_rest_is_drawn(fresh_server: ServerProcess) -> None:
    with FlexLogger({"loss": {}}, {"a": {"type": "LastValueMeter", "target": "loss"}}, run="r", sinks=[]) as stat:
        for step in range(10):
            stat.add(a=float(step))
            stat.log(step)
    (path,) = stat.folder.glob("*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    place = next(index for index, line in enumerate(lines) if b'"s":4' in line)
    lines[place] = lines[place].replace(b'"s":4', b'"s":5')
    path.write_bytes(b"".join(lines))
    told = replay(stat.folder, port=fresh_server.port)
    assert (told.records, told.damage.damaged) == (9, 1)
    (window,) = windows(fresh_server, "r").values()
    assert window["content"]["data"][0]["x"] == [0, 1, 2, 3, 5, 6, 7, 8, 9]


def test_what_cannot_be_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(RunLogError, match="there are no runs in"):
        replay("r")
    with FlexLogger({"loss": {}}, {"a": {"type": "LastValueMeter", "target": "loss"}}, run="r", sinks=[]) as stat:
        stat.add(a=1.0)
        stat.log(0)
    with pytest.raises(ServerError, match="Start a server with: flexlogger server --port 1"):
        replay("r", port=1)
    with pytest.raises((ValueRefusedError, UnknownNameError), match="did you mean 'terminal'"):
        replay("r", to="terminl")


def test_in_a_terminal_it_ends_with_the_latest_values(capsys: pytest.CaptureFixture[str]) -> None:
    with FlexLogger({"loss": {}}, {"a": {"type": "LastValueMeter", "target": "loss"}}, run="r", sinks=[]) as stat:
        for step in range(3):
            stat.add(a=step + 0.5)
            stat.log(step)
    told = replay("r", to="terminal")
    assert (told.records, told.url) == (3, "")
    shown = capsys.readouterr()
    assert "2.5" in shown.out + shown.err
