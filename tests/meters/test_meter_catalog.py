"""The catalog says what the meters are: every entry is held against its class."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from typing import Any

import pytest
import yaml

from flexlogger.catalog import check_opts
from flexlogger.config.load import load
from flexlogger.errors import UnknownNameError
from flexlogger.meters.base import BaseMeter, Payload
from flexlogger.meters.catalog import METERS, declared_outputs, meter_info, meter_types
from flexlogger.plots.catalog import default_plot
from tests.meter_cases import CASES, batches, make, meter_of

NEEDED: dict[str, dict[str, Any]] = {
    "ConfusionMeter": {"k": 3},
    "MovingAverageValueMeter": {"windowsize": 2},
    "ETAMeter": {"total": 10},
}


def cls(name: str) -> type:
    module, _, attribute = METERS[name].path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def test_it_imports_no_torch() -> None:
    code = "import sys, flexlogger.meters.catalog; assert not {'torch', 'visdom'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", METERS)
def test_options_are_the_constructors(name: str) -> None:
    declared = {option.name: option for option in METERS[name].options}
    parameters = {p.name: p for p in inspect.signature(cls(name)).parameters.values() if p.name != "clock"}
    assert list(parameters) == list(declared)
    for key, parameter in parameters.items():
        option = declared[key]
        assert option.required == (parameter.default is parameter.empty)
        if not option.required:
            listed = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
            assert option.default == listed


@pytest.mark.parametrize("name", METERS)
def test_outputs_are_the_instances(name: str) -> None:
    opts = NEEDED.get(name, {})
    meter = make(name, **opts)
    assert isinstance(meter, BaseMeter)
    assert tuple(meter.outputs) == declared_outputs(name, opts)
    assert check_opts(METERS[name].options, opts) == []


@pytest.mark.parametrize("label", CASES)
def test_what_is_logged_was_declared(label: str) -> None:
    name, opts, _ = CASES[label]
    meter = meter_of(label)
    for args in batches(label):
        meter.add(*args)
    declared = {output.name: output for output in declared_outputs(name, opts)}
    logged = meter.collect()
    assert list(logged) == list(declared)
    for suffix, value in logged.items():
        output = declared[suffix]
        assert output.kind == (value.kind if isinstance(value, Payload) else "scalar")
        if output.shape is not None:
            shape = tuple(value.value.shape)
            assert len(shape) == len(output.shape)
            assert all(want in (None, got) for want, got in zip(output.shape, shape, strict=True))


@pytest.mark.parametrize("name", METERS)
def test_units_agree(name: str) -> None:
    info = METERS[name]
    assert info.unit == info.outputs[0].unit == declared_outputs(name, NEEDED.get(name, {}))[0].unit


@pytest.mark.parametrize("name", METERS)
def test_examples_are_configs(name: str) -> None:
    declared = yaml.safe_load(METERS[name].example)
    (meter,) = declared["meters"].values()
    kind = default_plot(METERS[name].outputs[0].kind)
    dashboard = load({**declared, "plots": {meter["target"]: {"type": kind}}})
    assert dashboard.meters[0].type == name
    make(name, **dict(dashboard.meters[0].opts))


@pytest.mark.parametrize("name", METERS)
def test_it_reads_well(name: str) -> None:
    info = meter_info(name)
    assert info.doc.endswith(".")
    assert "\n" not in info.doc
    assert str(info).startswith(name)
    assert name in meter_types()


def test_top_k_of_one_has_no_suffix() -> None:
    assert [o.name for o in declared_outputs("ClassErrorMeter", {"topk": [3]})] == [""]
    assert [o.name for o in declared_outputs("ClassErrorMeter", {"topk": 3})] == [""]


def test_a_torchmetrics_path_is_described() -> None:
    pytest.importorskip("torchmetrics")
    info = meter_info("torchmetrics.classification.MulticlassF1Score")
    assert {"num_classes", "average"} <= {option.name for option in info.options}
    assert info.syncs


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("AvgMeter", "did you mean 'AverageValueMeter'"),
        ("torchmetrics.classification.MulticlassF1Scor", "did you mean 'MulticlassF1Score'"),
        ("torchmetrics.nothing.Here", "there is no module 'torchmetrics.nothing'"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(name: str, said: str) -> None:
    with pytest.raises(UnknownNameError, match=said):
        meter_info(name)
