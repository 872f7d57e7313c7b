from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from flexlogger import ConfigError, FlexLogger, UnknownNameError, ValueRefusedError
from flexlogger.records import Definition
from flexlogger.sinks.memory import MemorySink

METERS = {
    "loss": {"type": "AverageValueMeter", "target": "p"},
    "best": {"type": "MinMeter", "target": "p"},
    "smooth": {"type": "MovingAverageValueMeter", "opts": {"windowsize": 3}, "target": "p"},
    "now": {"type": "LastValueMeter", "target": "p"},
}


@pytest.fixture
def view() -> MemorySink:
    return MemorySink()


@pytest.fixture
def stat(view: MemorySink) -> Iterator[FlexLogger]:
    with FlexLogger({"p": {}}, METERS, sinks=[view], max_media=1000) as logger:
        yield logger


def values(stat: FlexLogger, view: MemorySink) -> list[tuple[float, dict[str, float]]]:
    assert stat.flush()
    return [(record.step, dict(record.values)) for record in view.records]


def test_add_gathers_and_log_records_and_resets(stat: FlexLogger, view: MemorySink) -> None:
    stat.add({"loss": 1.0, "best": 5.0})
    stat.add({"loss": 3.0, "best": 4.0})
    stat.log(7)
    stat.add({"loss": 10.0})
    stat.log(8)
    (_, first), (_, second) = values(stat, view)
    assert first == {"loss": 2.0, "loss.std": pytest.approx(math.sqrt(2)), "best": 4.0}
    assert second == {"loss": 10.0}


@pytest.mark.parametrize(
    "number", [2, 2.0, np.float32(2), np.int64(2), np.array(2.0), torch.tensor(2), torch.tensor(2.0)]
)
def test_numbers_of_every_kind_count_alike(stat: FlexLogger, view: MemorySink, number: Any) -> None:
    stat.add(loss=number, now=number)
    stat.log(0)
    assert values(stat, view) == [(0, {"loss": 2.0, "now": 2.0})]
    assert all(type(value) is float for value in values(stat, view)[0][1].values())


def test_calling_and_stat_are_add(stat: FlexLogger, view: MemorySink) -> None:
    stat({"loss": 1.0})
    stat.stat(loss=3.0)
    stat.log()
    assert values(stat, view)[0][1]["loss"] == 2.0


def test_a_count_weighs_a_mean(stat: FlexLogger, view: MemorySink) -> None:
    stat.add({"loss": (2.0, 3)})
    stat.add({"loss": [6.0, 1]})
    stat.log(0)
    assert values(stat, view)[0][1]["loss"] == 3.0


def test_a_windowed_meter_goes_on_over_logs(stat: FlexLogger, view: MemorySink) -> None:
    for step, number in enumerate([1.0, 2.0, 3.0, 4.0]):
        stat.add(smooth=number)
        stat.log(step)
    stat.log(4)
    means = [v["smooth"] for _, v in values(stat, view) if "smooth" in v]
    assert means[:4] == [1.0, 1.5, 2.0, 3.0]


def test_steps_count_by_themselves(stat: FlexLogger, view: MemorySink) -> None:
    for step in (None, None, 10, None, 2.5, None, 3, None):
        stat.add(now=0.0)
        stat.log(step)
    assert stat.step() == 6
    stat.add(now=0.0)
    stat.log()
    assert [step for step, _ in values(stat, view)] == [0, 1, 10, 11, 2.5, 3, 3, 4, 6]


@pytest.mark.parametrize("step", [True, float("nan"), float("inf"), "3", [1], torch.tensor(1)])
def test_a_step_that_is_no_finite_number_is_refused_at_the_call(stat: FlexLogger, step: Any) -> None:
    with pytest.raises(ValueRefusedError, match="expected a finite int or float"):
        stat.log(step)


def test_keys_and_reset_choose_what_is_logged_and_kept(stat: FlexLogger, view: MemorySink) -> None:
    stat.add(loss=1.0, best=1.0)
    stat.log(0, keys="loss")
    stat.log(1, keys=["best"], reset=False)
    stat.log(2)
    assert values(stat, view) == [(0, {"loss": 1.0}), (1, {"best": 1.0}), (2, {"best": 1.0})]
    with pytest.raises(UnknownNameError, match="did you mean 'loss'"):
        stat.log(3, keys="los")


def test_an_empty_meter_is_skipped_and_an_empty_log_writes_nothing(stat: FlexLogger, view: MemorySink) -> None:
    stat.log(0)
    stat.add(loss=1.0)
    stat.reset()
    stat.log(1)
    assert values(stat, view) == []


def test_an_unknown_name_is_an_error_with_the_nearest_one(stat: FlexLogger) -> None:
    with pytest.raises(UnknownNameError, match=r"add: unknown meter 'losss'; did you mean 'loss'\?"):
        stat.add(losss=1.0)
    with pytest.raises(UnknownNameError, match="did you mean 'best'"):
        stat.add({"bset": torch.tensor(1.0)})
    with pytest.raises(ValueRefusedError, match="expected a dict"):
        stat.add([1.0])  # type: ignore[arg-type]


def test_without_strict_an_unknown_name_warns_once_and_the_rest_counts(
    view: MemorySink, caplog: pytest.LogCaptureFixture
) -> None:
    with FlexLogger({"p": {}}, METERS, sinks=[view], strict=False) as stat:
        for _ in range(3):
            stat.add({"best": 1.0, "other": 2.0, "loss": 3.0})
        stat.log(0)
        assert values(stat, view)[0][1]["loss"] == 3.0
    assert len([r for r in caplog.records if "'other'" in r.getMessage()]) == 1


def test_value_and_last_read_what_is_running_and_what_was_logged(stat: FlexLogger) -> None:
    assert stat.last("loss") is None
    stat.add(loss=1.0)
    stat.add(loss=2.0)
    mean, _ = stat.value("loss")
    assert mean == 1.5
    stat.log(0)
    stat.add(loss=9.0)
    assert stat.last("loss") == 1.5
    with pytest.raises(UnknownNameError, match="did you mean 'loss'"):
        stat.value("lss")
    with pytest.raises(UnknownNameError, match="did you mean 'loss'"):
        stat.last("lss")


def test_what_was_added_may_be_changed_afterwards(view: MemorySink) -> None:
    plots = {"m": {"type": "heatmap"}, "v": {"type": "bar"}, "i": {"type": "image"}}
    matrix, vector, image = torch.ones(2, 2), np.ones(40), torch.ones(3, 4, 4)
    with FlexLogger(plots, sinks=[view]) as stat:
        stat.add(m=matrix, v=vector, i=image)
        for thing in (matrix, vector, image):
            thing[:] = -7
        stat.log(0)
        matrix[:] = -9
        assert stat.flush()
    data = {datum.name: datum.value for datum in view.records[0].data}
    assert np.array_equal(data["m"], np.ones((2, 2)))
    assert np.array_equal(data["v"], np.ones(40))
    assert (np.asarray(data["i"]) == 255).all()


def test_media_that_are_too_large_are_refused_counted_and_told_once(
    view: MemorySink, caplog: pytest.LogCaptureFixture
) -> None:
    with FlexLogger({"m": {"type": "heatmap"}}, sinks=[view], max_media=1000) as stat:
        for step in range(3):
            stat.add(m=torch.ones(100, 100))
            stat.log(step)
        stat.flush()
        assert stat.status()["refused"] == {"m": 3}
    assert len([r for r in caplog.records if "max_media" in r.getMessage()]) == 1
    assert view.records == []


def test_many_adds_between_logs_stay_bounded_and_exact(stat: FlexLogger, view: MemorySink) -> None:
    for number in range(20_000):
        stat.add(loss=float(number), now=float(number))
    assert len(stat._channels["loss"].meter.buffer) <= 4200  # type: ignore[attr-defined]
    stat.log(0)
    logged = values(stat, view)[0][1]
    assert logged["loss"] == pytest.approx(9999.5)
    assert logged["now"] == 19999.0


def test_the_dashboard_can_change_while_running(stat: FlexLogger, view: MemorySink) -> None:
    stat.add(loss=1.0)
    stat.add_plot("extra", type="line")
    stat.add_meter("more", "SumMeter", target="extra")
    stat.add(loss=3.0, more=1.0)
    stat.log(0)
    assert values(stat, view)[0][1]["loss"] == 2.0, "a meter that does not change keeps what it has gathered"
    stat.remove("more")
    assert stat.get_definitions() == {"p": ["loss", "best", "smooth", "now"], "extra": ["extra"]}
    with pytest.raises(ConfigError, match="did you mean 'line'"):
        stat.update_definition({"plots": {"extra": {"type": "lime"}}})
    with pytest.raises(ValueRefusedError, match="env"):
        stat.update_definition({"env": "other"})
    stat.flush()
    definitions = [item for item in view.items if isinstance(item, Definition)]
    assert len(definitions) == 4


def test_a_wrong_declaration_opens_nothing(tmp_path: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        FlexLogger({"p": {"type": "lime"}}, {"a": {"type": "AvgMeter", "target": "q"}}, dir=str(tmp_path / "runs"))
    assert len(caught.value.problems) == 3
    assert "did you mean 'AverageValueMeter'" in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_own_classes_instances_and_factories_are_meters(view: MemorySink) -> None:
    class Count:
        def __init__(self, start: int = 0) -> None:
            self.start = start
            self.reset()

        def add(self, *values: Any) -> None:
            self.n += 1

        def value(self) -> int:
            return self.n

        def reset(self) -> None:
            self.n = self.start

    meters = {
        "a": {"type": Count, "target": "p"},
        "b": {"type": Count(5), "target": "p"},
        "c": {"type": lambda: Count(7), "target": "p"},
        "d": {"type": Count, "opts": {"start": 2}, "target": "p"},
    }
    with FlexLogger({"p": {}}, meters, sinks=[view]) as stat:
        stat.add(dict.fromkeys("abcd", "anything"))
        stat.log(0)
        assert values(stat, view) == [(0, {"a": 1.0, "b": 6.0, "c": 8.0, "d": 3.0})]


def test_repr_is_a_readable_table(stat: FlexLogger) -> None:
    stat.add(loss=0.123456789)
    stat.log(0)
    lines = repr(stat).splitlines()
    assert lines[1].split() == ["meter", "type", "plot", "last"]
    assert lines[2].split() == ["loss", "AverageValueMeter", "p", "0.12346"]


def test_closing_twice_and_logging_afterwards_do_no_harm(stat: FlexLogger, caplog: pytest.LogCaptureFixture) -> None:
    stat.add(loss=1.0)
    stat.log(0)
    stat.close()
    stat.close()
    stat.add(loss=1.0)
    stat.log(1)
    assert stat.status()["dropped"] == {"after close": 1}


def test_a_dead_server_gives_one_warning_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "flexlogger"):
        stat = FlexLogger({"p": {}}, {"loss": {"type": "AverageValueMeter", "target": "p"}}, port=1)
        for step in range(100):
            stat.add(loss=1.0)
            stat.log(step)
        stat.close()
    told = [r.getMessage() for r in caplog.records]
    assert len([t for t in told if "no dashboard server answers" in t]) == 1
    assert "flexlogger server --port 1" in told[0]
    assert len([t for t in told if "everything is in" in t]) == 1
    assert len(told) == 2
