from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flexlogger import FlexLogger
from flexlogger.config.load import load
from flexlogger.errors import ConfigError
from flexlogger.records import Datum, Definition, End, Event, MeterDef, PlotDef, Record
from flexlogger.sinks.chosen import Chosen
from flexlogger.sinks.memory import MemorySink


def test_only_names_that_fit_are_passed_on() -> None:
    sink = MemorySink()
    chosen = Chosen(sink, only=["train_*", "image"], without=["*_acc"])
    image = Datum("image", "vector", np.zeros(3))
    chosen.write(
        [
            Event(0.0, "nonfinite", {"name": "test_loss"}, 0),
            Record(0, 0.0, {"train_loss": 1.0, "train_acc": 0.5, "test_loss": 2.0}),
            Record(1, 1.0, {"test_loss": 2.0}, (image, Datum("other", "text", "x"))),
            Record(2, 2.0, {"test_loss": 2.0}),
        ]
    )
    assert sink.items == [Record(0, 0.0, {"train_loss": 1.0}), Record(1, 1.0, {}, (image,))]


def test_plots_that_nothing_is_passed_on_for_are_not_drawn() -> None:
    sink = MemorySink()
    plots = (PlotDef("loss"), PlotDef("grads"), PlotDef("empty"))
    meters = (MeterDef("train", "", "loss"), MeterDef("test", "", "loss"), MeterDef("g", "", "grads"))
    Chosen(sink, without=["test", "g"]).write([Definition(0.0, plots, meters)])
    (definition,) = sink.items
    assert isinstance(definition, Definition)
    assert [plot.name for plot in definition.plots] == ["loss", "empty"]
    assert [meter.name for meter in definition.meters] == ["train"]


def test_a_value_every_so_many_steps_and_the_last_one() -> None:
    sink = MemorySink()
    chosen = Chosen(sink, steps=10)
    chosen.write(
        [Record(step, 0.1 * step, {"a": float(step)} | ({"b": 0.0} if step == 7 else {})) for step in range(25)]
    )
    assert sink.series("a") == [(0, 0.0), (10, 10.0), (20, 20.0)]
    assert sink.series("b") == [(7, 0.0)]
    chosen.write([End(3.0)])
    assert sink.series("a")[-1] == (24, 24.0)
    assert isinstance(sink.items[-1], End)


def test_a_value_every_so_many_seconds_of_the_log() -> None:
    sink = MemorySink()
    chosen = Chosen(sink, seconds=1.0)
    chosen.write([Record(step, 100 + 0.25 * step, {"a": float(step)}) for step in range(10)])
    assert [step for step, _ in sink.series("a")] == [0, 4, 8]
    chosen.write([Record(3, 110.0, {"a": 3.0}), Record(2, 5.0, {"a": 2.0})])  # a clock that was set back
    assert [step for step, _ in sink.series("a")] == [0, 4, 8, 3, 2]


def test_each_sink_of_a_config_has_its_own_choice() -> None:
    whole, some = MemorySink(), []
    sinks: list[Any] = [whole, {"callable": {"function": some.append, "only": "b", "every": "5 steps"}}]
    with FlexLogger({"a": {}, "b": {}}, sinks=sinks) as stat:
        for step in range(10):
            stat.add({"a": 1.0, "b": float(step)})
            stat.log(step)
    assert len(whole.series("a")) == 10
    assert [(record.step, dict(record.values)) for record in some] == [
        (0, {"b": 0.0}),
        (5, {"b": 5.0}),
        (9, {"b": 9.0}),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": "10"}, "expected steps or seconds, such as '10 steps' or '30 s', but got '10'"),
        ({"every": "0 s"}, "expected steps or seconds"),
        ({"every": 10}, "expected a string, but got 10"),
        ({"onyl": "a"}, "unknown option of sink csv 'onyl'; did you mean 'only'?"),
        ({"only": [1]}, "expected a string or a list of strings, but entry 0 is 1"),
    ],
)
def test_what_means_nothing_is_refused_with_its_place(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load({"sinks": [{"csv": options}]})
    (problem,) = refused.value.problems
    assert problem.path.startswith("sinks[0].csv.")
    assert message in problem.message
