from __future__ import annotations

from typing import Any

import pytest

from flexlogger import ValueRefusedError
from flexlogger.config.load import load
from flexlogger.records import MeterDef, PlotDef
from flexlogger.tracking.metrics import Rules, checked_rule
from flexlogger.tracking.windows import Windows


def rules(*asked: dict[str, Any]) -> Rules:
    made = Rules()
    for one in asked:
        made.add(checked_rule(one["name"], one.get("summary"), None, one.get("step_metric"), None))
    return made


def test_the_closest_rule_that_says_something_holds() -> None:
    made = rules(
        {"name": "*", "step_metric": "epoch"},
        {"name": "val/*", "step_metric": "pass", "summary": "min"},
        {"name": "val/loss", "summary": ["max", "last"]},
    )
    assert made.axis("val/loss") == "pass"
    assert made.ways("val/loss") == ("max", "last")
    assert made.axis("loss") == "epoch"
    assert made.ways("loss") == ()
    made.add(checked_rule("val/loss", None, None, None, None))
    assert made.ways("val/loss") == ()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"name": "loss", "summary": "maxx"}, "summary: unknown word 'maxx'; did you mean 'max'"),
        ({"name": "loss", "goal": "min"}, "goal: unknown word 'min'; did you mean 'minimize'"),
        ({"name": ""}, "name: expected a metric's name, but got ''"),
        ({"name": "loss", "step_metric": 3}, "step_metric: expected a metric's name, but got 3"),
    ],
)
def test_words_that_mean_nothing_are_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueRefusedError, match=message):
        checked_rule(asked["name"], asked.get("summary"), asked.get("goal"), asked.get("step_metric"), None)


class Declared:
    """What windows were declared, each time."""

    def __init__(self, dashboard: dict[str, Any] | None = None, made: Rules | None = None, taken: str = "") -> None:
        self.rules = made or Rules()
        self.times = 0
        self.windows = Windows(load(dashboard or {}), self.rules, self.define, lambda plot, meter: plot.name == taken)

    def define(self, plots: Any, meters: Any) -> None:
        self.plots: tuple[PlotDef, ...] = plots
        self.meters: tuple[MeterDef, ...] = meters
        self.times += 1

    @property
    def axes(self) -> dict[str, str]:
        return {plot.name: plot.x for plot in self.plots}


def test_scalars_need_no_declaration() -> None:
    declared = Declared()
    assert not declared.windows.knows({"loss"})
    declared.windows.meet(["loss", "acc"])
    assert declared.windows.knows({"loss"})
    assert (declared.times, declared.plots) == (1, ())


def test_a_vector_is_one_window() -> None:
    declared = Declared()
    declared.windows.meet(["f1", "f1.0", "f1.1"], {"f1"})
    (meter,) = declared.meters
    assert (meter.name, meter.target, meter.outputs[0].kind) == ("f1", "f1", "vector")
    assert declared.times == 2


def test_a_step_metric_is_the_axis_of_names_met_before_and_after() -> None:
    declared = Declared()
    declared.windows.meet(["val/loss", "epoch"])
    declared.rules.add(checked_rule("*", None, None, "epoch", None))
    declared.windows.look_again()
    declared.windows.meet(["val/acc"])
    assert declared.axes == {"val/loss": "epoch", "val/acc": "epoch"}
    assert declared.times == 3


def test_a_hidden_name_has_no_window_before_or_after_it_is_met() -> None:
    declared = Declared(made=rules({"name": "*", "step_metric": "epoch"}))
    declared.windows.meet(["epoch", "loss"])
    declared.rules.add(checked_rule("epoch", None, None, None, True))
    declared.rules.add(checked_rule("los*", None, None, None, True))
    declared.windows.look_again()
    assert declared.axes == {}
    assert {meter.name: meter.target for meter in declared.meters} == {"epoch": "", "loss": ""}


def test_the_dashboard_governs_what_it_declares() -> None:
    dashboard = {"plots": {"p": {"type": "line"}}, "meters": {"loss": {"type": "AverageValueMeter", "target": "p"}}}
    declared = Declared(dashboard, rules({"name": "*", "step_metric": "epoch"}))
    declared.windows.meet(["loss", "loss.std", "acc"])
    assert declared.axes == {"p": "step", "acc": "epoch"}
    assert [(meter.name, meter.type) for meter in declared.meters] == [("loss", "AverageValueMeter"), ("acc", "")]


def test_a_name_that_another_logger_has_is_left_to_it() -> None:
    declared = Declared(made=rules({"name": "*", "step_metric": "epoch"}), taken="loss")
    declared.windows.meet(["loss", "acc"])
    assert declared.axes == {"acc": "epoch"}


def test_there_is_an_end_to_declared_windows() -> None:
    declared = Declared(made=rules({"name": "*", "step_metric": "epoch"}))
    for number in range(150):
        declared.windows.meet([f"m{number}"])
    assert len(declared.plots) == 100
