"""The presets and whole dashboards that come with the package, and what is told of them."""

import os
import subprocess
import sys

import pytest

from flexlogger.config.load import load
from flexlogger.config.presets import preset_info, preset_names
from flexlogger.config.sources import dashboards, presets
from flexlogger.errors import ConfigError, UnknownNameError
from flexlogger.plots.catalog import PLOTS

PRESETS = preset_names([])


def test_the_presets_of_the_package():
    assert set(PRESETS) >= {
        *("loss", "mse", "acc", "error", "confusion", "auc", "roc", "map", "ap", "f1", "lr", "time", "throughput"),
        *("image", "images", "grad-norm", "grads", "weights", "activations", "updates", "layer-hist"),
    }
    assert set(dashboards()) >= {"classification", "regression", "segmentation", "language_model", "gan"}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_stands_alone_with_and_without_phases(name):
    dashboard = load(name)
    assert dashboard.plots or dashboard.model
    assert not any(meter.implicit for meter in dashboard.meters)
    without = load(name, overrides={"phases": []})
    assert without.plots or without.model
    assert len(load(name, overrides={"phases": ["a", "b", "c"]}).meters) >= len(dashboard.meters)


def test_all_presets_compose():
    drawn = [name for name in PRESETS if load(name).plots]
    everything = load("+".join(PRESETS))
    assert len(everything.plots) >= len(drawn)
    assert everything.model["sources"] == {
        "outputs": ["mean", "std", "zero_fraction"],
        "grads": ["norm", "mean", "std", "histogram"],
        "weights": ["histogram", "update_ratio", "norm", "mean", "std"],
    }


@pytest.mark.parametrize("name", sorted(dashboards()))
def test_a_whole_dashboard_orders_every_window_it_has(name):
    dashboard = load(name)
    assert set(dashboard.layout.order) <= {plot.name for plot in dashboard.plots}
    assert all(plot.type in PLOTS for plot in dashboard.plots)


@pytest.mark.parametrize("name", sorted({*presets([]), *dashboards()}))
def test_every_file_begins_by_saying_what_it_is(name):
    file = {**presets([]), **dashboards()}[name]
    assert file.read_text(encoding="utf-8").startswith("# ")


def test_accuracy_is_a_fraction_and_error_percent_so_they_share_no_window():
    assert load("acc+error")
    with pytest.raises(ConfigError, match="two units in plot 'acc': 'train_acc' is in 'fraction', this meter in '%'"):
        load("acc", overrides={"meters": {"train_error": {"type": "ClassErrorMeter", "target": "acc"}}})


def test_preset_info_tells_plots_meters_what_they_take_and_the_yaml():
    info = preset_info("loss+Acc")
    assert [plot.name for plot in info.plots] == ["loss", "acc"]
    assert "scores" in info.takes["train_acc"]
    shown = str(info)
    for words in ("Accuracy per phase", "loss: line", "train_acc: AccuracyMeter in plot acc", '"{phase}_acc"'):
        assert words in shown


def test_preset_info_of_a_class_by_path_and_of_a_name_nobody_gave():
    assert preset_info("f1").takes["test_f1"] == "what its class takes"
    with pytest.raises(UnknownNameError, match="unknown preset 'los'; did you mean 'loss'"):
        preset_info("los")


def test_users_presets_are_listed(tmp_path, monkeypatch):
    (tmp_path / "My Own.yaml").write_text("# Mine.\nplots: {mine: {}}\n")
    monkeypatch.setenv("FLEXLOGGER_PRESETS", str(tmp_path) + os.pathsep)
    assert "myown" in preset_names()
    assert "myown" not in preset_names([])
    assert preset_info("my own").doc == "Mine."


def test_presets_are_found_from_anywhere(tmp_path):
    code = "from flexlogger.config.load import load; print(len(load('loss+MSE').meters))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "4"
