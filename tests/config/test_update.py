"""A dashboard changes while its run is open: by the names it shows, and without touching the rest."""

import pytest

from flexlogger.config.load import load
from flexlogger.config.presets import preset_names
from flexlogger.config.sources import dashboards
from flexlogger.config.update import as_mapping, update
from flexlogger.errors import ConfigError


@pytest.mark.parametrize("name", [*preset_names([]), *dashboards()])
def test_nothing_changed_is_the_same_dashboard(name):
    dashboard = load(name)
    assert update(dashboard, {}) == dashboard


def test_untouched_meters_stay_equal():
    before = load("loss+mse")
    after = update(before, {"meters": {"extra": {"type": "LastValueMeter", "target": "loss"}}})
    assert after.meters[:-1] == before.meters
    assert after.meters[-1].name == "extra"


def test_one_phase_of_a_meter_can_go():
    after = update(load("loss"), {"meters": {"test_loss": None}})
    assert [meter.name for meter in after.meters] == ["train_loss"]


def test_changes_know_the_phases():
    after = update(load("loss"), {"meters": {"{phase}_best": {"type": "LastValueMeter", "target": "loss"}}})
    assert [meter.name for meter in after.meters] == ["train_loss", "test_loss", "train_best", "test_best"]
    assert not update(after, {"plots": {"loss": None}, "meters": dict.fromkeys(m.name for m in after.meters)}).meters


def test_a_plot_that_goes_leaves_the_order():
    before = load("loss+lr", overrides={"layout": {"order": ["lr", "loss"], "columns": 2}})
    after = update(before, {"plots": {"lr": None}, "meters": {"lr": None}})
    assert (after.layout.order, after.layout.columns) == (("loss",), 2)


def test_presets_can_join_later():
    assert [plot.name for plot in update(load("loss"), {"extends": "mse"}).plots] == ["loss", "mse"]


def test_a_wrong_change_changes_nothing():
    before = load("loss")
    with pytest.raises(ConfigError, match=r"<changes>: meters.m.target: unknown plot 'los'; did you mean 'loss'"):
        update(before, {"meters": {"m": {"type": "LastValueMeter", "target": "los"}}})
    assert before == load("loss")


def test_the_written_out_mapping_gives_the_same_dashboard():
    sinks = ["terminal", {"visdom": {"port": 9}}]
    about = {"name": "n", "tags": ["t"], "notes": "x", "config": {"lr": [1]}, "resume_step": 2.5, "ranks": "all"}
    dashboard = load("loss+mse", overrides={"env": "e", "sinks": sinks, "runlog": "off", **about})
    again = load(as_mapping(dashboard))
    assert {key: getattr(again, key) for key in about} == about | {"tags": ("t",)}
    assert (again.plots, again.sinks, again.env, again.runlog) == (dashboard.plots, dashboard.sinks, "e", False)
