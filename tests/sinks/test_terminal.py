"""The latest values on a terminal, in a pipe and in a notebook."""

from __future__ import annotations

import io
import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flexlogger.config.load import load
from flexlogger.records import Event, Record
from flexlogger.sinks import terminal as sinks
from flexlogger.sinks.faces import terminal_lines
from flexlogger.sinks.latest import Latest
from flexlogger.sinks.pace import Pace
from flexlogger.sinks.terminal import TerminalSink
from tests.terminals import Terminal

START = """
from flexlogger.records import Event, Record
from flexlogger.sinks.terminal import TerminalSink
sink = TerminalSink(clock=lambda: now)
now = 0.0
def log(step, **values):
    global now
    now = float(step)
    sink.write([Record(step, now, values)])
"""

TRAINING = """
from flexlogger import FlexLogger
meters = {name: {"type": "AverageValueMeter", "target": "loss"} for name in ("train_loss", "test_loss")}
stat = FlexLogger({"loss": {}}, meters, sinks=[{"terminal": {"total": 40, "epoch": 10}}], run="r", dir=DIR)
def train(first, last):
    for n in range(first, last):
        stat.add(train_loss=1 / (n + 1))
        if n % 10 == 9:
            stat.add(test_loss=2.0)
            print("epoch", n // 10, "is done")
        stat.log(n)
    assert stat.flush(10)
"""


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def row(lines: list[str], name: str) -> list[str]:
    return next(line.split() for line in lines if line.startswith(name))


# ---- on a terminal


def test_a_training_shows_its_latest_values_below_what_it_prints(tmp_path: Path) -> None:
    code = f"DIR = {str(tmp_path)!r}\n{TRAINING}\ntrain(0, 25)\npause()\ntrain(25, 40)\nstat.close()\nprint('after')"
    with Terminal(code) as terminal:
        lines = terminal.until(lambda lines: any(line.startswith("step 24") for line in lines))
        assert lines[:4] == ["epoch 0 is done", "epoch 1 is done", "", ""]
        assert lines[4].startswith("step 24 of 40  62%  ")
        assert "epoch 3 50%" in lines[4]
        assert lines[5].split() == ["meter", "last", "min", "max", "trend", "step"]
        assert row(lines, "train_loss")[:4] == ["train_loss", "0.04", "0.04", "1"]
        assert row(lines, "test_loss") == ["test_loss", "2", "2", "2", "▁▁", "19"]
        assert "queued" in lines[8]
        terminal.go()
        assert terminal.finish() == 0
        lines = terminal.everything
        assert [line for line in lines if line.startswith("epoch")] == [f"epoch {n} is done" for n in range(4)]
        assert row(lines, "step")[:4] == ["step", "39", "of", "40"]
        assert lines[-1] == "after"
        assert len([line for line in lines if line.startswith("train_loss")]) == 1


def test_what_is_not_finite_stands_first_in_red_with_the_step_it_began(tmp_path: Path) -> None:
    code = (
        START
        + """
log(0, lr=0.1, loss=1.0)
for n in range(1, 4):
    log(n, lr=0.1, loss=float("nan"))
sink.write([Event(1.0, "nonfinite", {"name": "loss", "value": "nan", "step": 1}, 1)])
sink.flush()
pause()
"""
    )
    with Terminal(code) as terminal:
        lines = terminal.until(lambda lines: any(line.startswith("lr") for line in lines))
        assert lines[0] == "! not finite since step 1: loss"
        names = [line.split()[0] for line in lines if line.startswith(("loss", "lr"))]
        assert names == ["loss", "lr"]
        assert row(lines, "loss") == ["loss", "NaN", "1", "1", "▁", "since", "1"]
        at = next(y for y, line in enumerate(lines) if line.startswith("loss"))
        assert terminal.screen.buffer[at][0].fg == "red"
        assert terminal.screen.buffer[at + 1][0].fg == "default"


def test_two_hundred_meters_take_what_room_there_is_and_say_how_many_more() -> None:
    code = (
        START
        + """
log(0, **{f"meter_{n}": float(n) for n in range(200)})
print("printed")
sink.flush()
pause()
"""
    )
    with Terminal(code, lines=20) as terminal:
        lines = terminal.until(lambda lines: "printed" in lines and any(line.startswith("and ") for line in lines))
        shown = [line for line in lines if line.startswith("meter_")]
        assert len(shown) > 5
        assert f"and {200 - len(shown)} more" in lines


@pytest.mark.parametrize("columns", [16, 20, 34, 50])
def test_a_narrow_terminal_shows_the_values_that_fit(columns: int) -> None:
    code = (
        START
        + """
for n in range(40):
    log(n, a_rather_long_name_of_a_meter=n / 7, lr=0.1)
sink.flush()
pause()
"""
    )
    with Terminal(code, columns=columns, lines=12) as terminal:
        lines = terminal.until(lambda lines: any(line.startswith("lr") for line in lines))
        assert row(lines, "lr")[1] == "0.1"
        assert max(map(len, lines)) <= columns - 1
        assert len([line for line in lines if line]) == 4


def test_a_resized_terminal_is_filled_anew() -> None:
    code = (
        START
        + """
for n in range(3):
    log(n, loss=1.0)
    sink.flush()
    pause()
"""
    )
    with Terminal(code, columns=20) as terminal:
        terminal.until(lambda lines: any(line.startswith("step 0") for line in lines))
        terminal.resize(100, 30)
        terminal.go()
        lines = terminal.until(lambda lines: any(line.startswith("step 1") for line in lines))
        assert "trend" in next(line for line in lines if line.startswith("meter"))


@pytest.mark.parametrize(("ending", "status"), [("raise ValueError('boom')", 1), ("pause()", -signal.SIGINT)])
def test_a_training_that_fails_leaves_its_last_values_and_a_sane_terminal(
    tmp_path: Path, ending: str, status: int
) -> None:
    code = f"DIR = {str(tmp_path)!r}\n{TRAINING}\ntrain(0, 10)\n{ending}\n"
    with Terminal(code) as terminal:
        terminal.until(lambda lines: any(line.startswith("train_loss") for line in lines))
        if status < 0:
            terminal.type("\x03")
        assert terminal.finish() == status
        lines = terminal.everything
        assert [line for line in lines if re.match(r"ValueError|KeyboardInterrupt", line)]
        assert len([line for line in lines if line.startswith("train_loss")]) == 1
        assert b"\x1b[?" not in terminal.said
        assert (terminal.screen.cursor.x, terminal.screen.margins) == (0, None)
        assert not any(terminal.screen.display[terminal.screen.cursor.y :][0].strip())


def test_the_health_of_the_pipe_is_shown() -> None:
    status = {
        "queued": 1200,
        "dropped": {"queue full": 3},
        "stuck": True,
        "views": {"visdom": {"ok": False}, "terminal": {"ok": True}, "card": {"ok": True}, "memory": {"ok": True}},
    }
    last = terminal_lines(Latest(Pace()), status, 0.0, 100, 20, colour=False)[-1]
    assert last == "the run log cannot be written  3 dropped (queue full)  visdom is away  memory ok  1,200 queued"


def test_colours_are_left_out_where_they_are_not_wanted() -> None:
    with Terminal(START + "log(0, loss=1.0)\nsink.flush()\npause()", NO_COLOR="1") as terminal:
        terminal.until(lambda lines: any(line.startswith("loss") for line in lines))
        assert b"\x1b[1m" not in terminal.said


# ---- elsewhere


def test_plain_lines_have_no_escape_codes_and_all_values_at_the_end(tmp_path: Path) -> None:
    code = f"DIR = {str(tmp_path)!r}\n{TRAINING}\ntrain(0, 10)\nstat.close()"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env={**os.environ, "TERM": "xterm"}
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "epoch 0 is done\n"
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("step 9/40  ")
    assert "train_loss 0.1" in ended.stderr
    assert "test_loss 2" in ended.stderr
    assert "\x1b" not in ended.stderr + ended.stdout
    assert "\r" not in ended.stderr


def test_plain_lines_come_at_most_once_a_second_and_the_last_values_always() -> None:
    out, clock = io.StringIO(), Clock()
    sink = TerminalSink(out, clock=clock)
    for n in range(31):
        clock.now = n / 10
        sink.write([Record(n, clock.now, {"loss": float(n)})])
        sink.flush()
    sink.write([Record(31, 3.1, {"loss": 31.0})])
    sink.close()
    steps = [line.split()[1] for line in out.getvalue().splitlines()]
    assert steps == ["0", "10", "20", "30", "31"]
    assert out.getvalue().splitlines()[2] == "step 20  loss 20  (10 steps/s)"


def test_a_clock_that_is_set_back_does_not_silence_it() -> None:
    out, clock = io.StringIO(), Clock()
    sink = TerminalSink(out, clock=clock)
    for clock.now in (1e6, 5.0):
        sink.write([Record(0, clock.now, {"loss": 1.0})])
        sink.flush()
    assert len(out.getvalue().splitlines()) == 2


def test_a_plain_line_names_what_is_not_finite_and_how_many_values_there_are_more() -> None:
    out = io.StringIO()
    sink = TerminalSink(out, total=10, clock=lambda: 0.0)
    values = {f"m{n}": math.inf if n == 199 else 1.0 for n in range(200)}
    sink.write([Record(3, 0.0, values), Event(0.0, "nonfinite", {"name": "m199"}, 3)])
    sink.flush()
    message, line = out.getvalue().splitlines()
    assert message == "! not finite since step 3: m199"
    assert line.startswith("step 3/10  m199 inf  m0 1  m1 1")
    assert line.endswith("and 180 more")


def test_names_cannot_move_the_cursor() -> None:
    out = io.StringIO()
    sink = TerminalSink(out, clock=lambda: 0.0)
    sink.write([Record(0, 0.0, {"bad\x1b[2Jname\n": 1.0})])
    sink.flush()
    sink.write([Event(0.0, "nonfinite", {"name": "b\x1b[2J"}, 0)])
    sink.close()
    assert out.getvalue() == "step 0  bad�[2Jname� 1\n! not finite since step 0: b�[2J\n"


def test_drops_and_stored_artifacts_are_told_and_other_events_are_not() -> None:
    out = io.StringIO()
    sink = TerminalSink(out, clock=lambda: 0.0)
    artifact = {"name": "iris", "version": "v0", "use": False}
    sink.write(
        [
            Event(0.0, "config", {"set": {"lr": 0.1}}),
            Event(0.0, "drops", {"queue full": 3}),
            Event(0.0, "artifact", artifact),
            Event(0.0, "artifact", {**artifact, "use": True}),
        ]
    )
    sink.flush()
    assert out.getvalue() == "! dropped so far: 3 (queue full)\n! artifact iris:v0 is stored\n"


class Display:
    """Stands in for IPython's display: keeps what is shown and how it is updated."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.displays = 0

    def __call__(self, what: Any, display_id: bool) -> Display:
        self.displays += 1
        self.update(what)
        return self

    def update(self, what: Any) -> None:
        self.shown.append(what)


def test_a_notebook_has_one_table_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    display = Display()
    monkeypatch.setattr(sinks, "notebook", lambda: (display, str))
    sink = TerminalSink(clock=lambda: 0.0)
    for n in range(50):
        sink.write([Record(n, 0.0, {"<loss>": math.nan if n == 49 else 1.0})])
        sink.write([Event(0.0, "nonfinite", {"name": f"<{n}>"}, n)])
        sink.flush()
    sink.close()
    assert display.displays == 1
    assert "&lt;loss&gt;" in display.shown[-1]
    assert "NaN" in display.shown[-1]
    assert re.findall("since step (\\d+): &lt;", display.shown[-1]) == ["45", "46", "47", "48", "49"]


def test_the_options_stand_in_a_config_as_the_guide_shows(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "terminal.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```yaml\n(.*?)^```", guide, re.S | re.M)
    (tmp_path / "dashboard.yaml").write_text(text, encoding="utf-8")
    visdom, terminal = load(tmp_path / "dashboard.yaml").sinks
    assert (visdom.type, terminal.type, terminal.opts) == ("visdom", "terminal", {"total": 4690, "epoch": 469})
