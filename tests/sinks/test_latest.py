"""What the terminal knows of a run: its values, its pace, its end."""

from __future__ import annotations

import math

from flexlogger.records import End, Event, Record
from flexlogger.sinks.faces import terminal_lines
from flexlogger.sinks.latest import Latest
from flexlogger.sinks.pace import Pace


def test_values_that_come_one_by_one_or_at_once_look_the_same() -> None:
    values = [math.sin(n / 20) for n in range(500)]
    records = [Record(n, float(n), {"a": value, "a.std": 0.5}) for n, value in enumerate(values)]
    one, all_at_once = Latest(Pace()), Latest(Pace())
    for record in records:
        one.write([record])
    all_at_once.write(records)
    for latest in (one, all_at_once):
        meter = latest.meters["a"]
        assert (meter.low, meter.high, meter.last, meter.step) == (min(values), max(values), values[-1], 499)
        assert len(meter.trend) <= 16
    assert one.meters["a"].trend == all_at_once.meters["a"].trend
    assert terminal_lines(one, None, 499.0, 80, 20, False) == terminal_lines(all_at_once, None, 499.0, 80, 20, False)
    assert "±" in terminal_lines(one, None, 499.0, 80, 20, False)[1]


def test_a_run_that_goes_silent_says_so() -> None:
    latest = Latest(Pace())
    latest.write([Record(n, float(n), {"a": 1.0}) for n in range(10)])
    assert "nothing new" not in terminal_lines(latest, None, 15.0, 200, 20, False)[0]
    assert "nothing new for 51 s" in terminal_lines(latest, None, 60.0, 200, 20, False)[0]
    latest.write([End(60.0, "crashed"), End(60.0, "forked")])
    assert terminal_lines(latest, None, 90.0, 200, 20, False)[0] == "step 9  1 steps/s  1 s a step  crashed"


def test_a_resumed_run_has_its_own_pace() -> None:
    pace = Pace(total=200)
    latest = Latest(pace)
    latest.write([Record(n, float(n), {"a": 1.0}) for n in range(100)])
    latest.write([Event(1e6, "run", {}), *(Record(n, 1e6 + n / 2, {"a": 1.0}) for n in range(100, 120))])
    assert pace.rate == 2.0
    assert pace.left == 40.0


def test_steps_that_come_late_do_not_disturb_the_pace() -> None:
    pace = Pace()
    for n in range(100):
        pace.add(n, float(n))
        pace.add(n // 10, n + 0.5)  # a test once an epoch, counted in epochs
    assert pace.rate == 1.0
    assert pace.step == 99


def test_epochs_are_counted_from_one_and_end_with_their_last_step() -> None:
    pace = Pace(epoch=10)
    numbers = []
    for n in range(21):
        pace.add(n, float(n))
        numbers.append(pace.in_epoch and pace.in_epoch[:2])
    assert numbers[8:11] == [(1, 0.9), (1, 1.0), (2, 0.1)]
    assert numbers[20] == (3, 0.1)
