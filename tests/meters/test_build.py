"""From a declaration's `type` to a meter, and what is wrong with one before training."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

from flexlogger.errors import FlexLoggerError, MissingExtraError, UnknownNameError, ValueRefusedError
from flexlogger.meters.base import BaseMeter
from flexlogger.meters.build import build_meter
from flexlogger.meters.catalog import METERS
from flexlogger.meters.foreign import ForeignMeter, MetricMeter
from flexlogger.meters.last import LastValueMeter
from flexlogger.records import Output


class Counter:
    def __init__(self, start: int = 0) -> None:
        self.n = self.start = start

    def add(self, value: int) -> None:
        self.n += value

    def value(self) -> int:
        return self.n

    def reset(self) -> None:
        self.n = self.start


REQUIRED = {"k": 3, "windowsize": 3, "total": 10, "unit": False}


@pytest.mark.parametrize("name", METERS)
def test_every_meter_of_the_catalog_can_be_built_and_holds_what_it_says(name):
    info = METERS[name]
    opts = {option.name: REQUIRED[option.name] for option in info.options if option.required}
    meter = build_meter(name, opts)
    assert isinstance(meter, BaseMeter)
    assert [output.name for output in meter.outputs] == [output.name for output in info.outputs]
    assert type(meter) is type(build_meter(info.path.replace(":", "."), opts))


@pytest.mark.parametrize("name", METERS)
def test_every_option_of_the_catalog_is_an_argument(name):
    info = METERS[name]
    required = {option.name: REQUIRED[option.name] for option in info.options if option.required}
    for option in info.options:
        build_meter(name, {**required, option.name: required.get(option.name, option.default)})


def test_the_hint_is_what_a_last_value_expects_unless_it_is_declared():
    assert build_meter("LastValueMeter", {}, kind_hint="matrix").outputs == (Output(kind="matrix"),)
    assert build_meter("LastValueMeter", {"kind": "text"}, kind_hint="matrix").outputs == (Output(kind="text"),)
    assert build_meter(LastValueMeter, {}, kind_hint="curve").outputs == (Output(kind="curve"),)


def test_opts_are_not_changed():
    opts: dict[str, object] = {}
    build_meter("LastValueMeter", opts, kind_hint="matrix")
    assert opts == {}


@pytest.mark.parametrize("make", [Counter, lambda start=0: Counter(start)], ids=["class", "factory"])
def test_a_class_or_factory_takes_opts(make):
    meter = build_meter(make, {"start": 5})
    assert isinstance(meter, ForeignMeter)
    meter.add(2)
    assert meter.collect() == {"": 7.0}


def test_an_instance_is_taken_as_it_is():
    counter = Counter()
    meter = build_meter(counter)
    assert isinstance(meter, ForeignMeter)
    assert meter.meter is counter
    ours = LastValueMeter()
    assert build_meter(ours) is ours


def test_torchmetrics_by_name_by_path_by_class():
    torchmetrics = pytest.importorskip("torchmetrics")
    for type_ in ("MulticlassF1Score", "torchmetrics.classification.MulticlassF1Score", "torchmetrics.F1Score"):
        opts = {"task": "multiclass"} if type_ == "torchmetrics.F1Score" else {}
        meter = build_meter(type_, {"num_classes": 3, **opts})
        assert isinstance(meter, MetricMeter)
        assert type(meter.meter).__name__ == "MulticlassF1Score"
    assert isinstance(build_meter(torchmetrics.MeanMetric), MetricMeter)


def test_torchnet_by_path():
    pytest.importorskip("torchnet")
    meter = build_meter("torchnet.meter.ClassErrorMeter", {"topk": [1, 5]})
    assert type(meter.meter).__module__.startswith("torchnet")


def test_allowed_packages_can_be_named_and_others_not(monkeypatch):
    package = types.ModuleType("mymeters")
    package.Counter = Counter
    monkeypatch.setitem(sys.modules, "mymeters", package)
    assert isinstance(build_meter("mymeters.Counter", {}, allow_imports=["mymeters"]), ForeignMeter)
    with pytest.raises(ValueRefusedError, match="--allow-import mymeters"):
        build_meter("mymeters.Counter", {})


def test_a_strangers_name_is_not_imported():
    code = (
        "import sys\n"
        "from flexlogger.meters.build import build_meter\n"
        "try: build_meter('antigravity.fly', {})\n"
        "except ValueError: pass\n"
        "assert 'antigravity' not in sys.modules and 'torchmetrics' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("type_", "opts", "error", "message"),
    [
        ("AverageMeter", {}, UnknownNameError, "unknown meter 'AverageMeter'; did you mean 'AverageValueMeter'?"),
        ("MulticlassF1Scor", {}, UnknownNameError, "did you mean 'MulticlassF1Score'?"),
        ("subprocess.Popen", {"args": "ls"}, ValueRefusedError, "not below a package that may be imported"),
        ("flexlogger.meters._secret.X", {}, ValueRefusedError, "names something private"),
        ("torchmetrics.classification.MulticlasF1Score", {}, UnknownNameError, "did you mean 'MulticlassF1Score'?"),
        ("torchmetrics.nothere.X", {}, UnknownNameError, "'torchmetrics.nothere.X': unknown name 'nothere'"),
        ("torchmetrics.functional.accuracy", {}, ValueRefusedError, "is no meter"),
        ("torchmetrics.classification", {}, ValueRefusedError, "is no meter"),
        ("flexlogger.errors.Place", {}, ValueRefusedError, "is no meter"),
        ("ConfusionMeter", {}, ValueRefusedError, "ConfusionMeter: missing option 'k'"),
        ("ConfusionMeter", {"k": 0}, ValueRefusedError, "at least 1, but got 0"),
        ("ConfusionMeter", {"kk": 3}, ValueRefusedError, "did you mean 'k'?"),
        ("LastValueMeter", {"kind": "imges"}, ValueRefusedError, "LastValueMeter: expected one of"),
        (
            "MulticlassF1Score",
            {"numclasses": 3},
            ValueRefusedError,
            "MulticlassF1Score: unknown option 'numclasses'; did you mean 'num_classes'?",
        ),
        ("MulticlassF1Score", {}, ValueRefusedError, "MulticlassF1Score: missing option 'num_classes'"),
        ("MulticlassF1Score", {"num_classes": 3, "averages": "macro"}, ValueRefusedError, "did you mean 'average'?"),
        ("MulticlassF1Score", {"num_classes": 3, "average": "no"}, ValueRefusedError, "average"),
        ("MeanMetric", {"nan_strategy": "perhaps"}, ValueRefusedError, "MeanMetric: "),
        (Counter, {"stort": 1}, ValueRefusedError, "Counter: unknown option 'stort'; did you mean 'start'?"),
        (Counter(), {"start": 1}, ValueRefusedError, "Counter: an instance takes no options"),
        (lambda: 3, {}, ValueRefusedError, "Expected a meter with add, value and reset, but got int"),
        (dict, {}, ValueRefusedError, "Expected a meter with add, value and reset, but got dict"),
        (lambda: 1 / 0, {}, ValueRefusedError, "division by zero"),
        (3, {}, ValueRefusedError, "Expected a meter's name, class, instance or factory, but got 3"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(type_, opts, error, message):
    if isinstance(type_, str) and ("metric" in type_.lower() or "Multi" in type_):
        pytest.importorskip("torchmetrics")
    with pytest.raises(error) as caught:
        build_meter(type_, opts)
    assert isinstance(caught.value, FlexLoggerError)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "library"), [("torchmetrics.MeanMetric", "torchmetrics"), ("torchnet.meter.AUCMeter", "torchnet")]
)
def test_a_library_that_is_missing_is_named_with_its_pip_line(path, library, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"{path}.*pip install 'flexlogger\[{library}\]'"):
        build_meter(path, {})
