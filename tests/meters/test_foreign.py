"""Meters of other people behave as ours do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.base import Payload
from flexlogger.meters.build import build_meter
from flexlogger.meters.foreign import wrap
from flexlogger.meters.results import outputs_of, thinned
from flexlogger.records import Output


class Keeper:
    """A meter that keeps what it is given, as it is."""

    def __init__(self) -> None:
        self.reset()

    def add(self, *values, **named):
        self.kept = (values, named)

    def value(self):
        return self.kept[0][0]

    def reset(self):
        self.kept = ((None,), {})


def test_it_is_empty_until_something_is_added_and_after_a_reset():
    meter = wrap(Keeper())
    assert meter.empty
    meter.add(1.0)
    assert not meter.empty
    assert meter.collect() == {"": 1.0}
    meter.reset()
    assert meter.empty


def test_what_it_is_given_is_copied():
    tensor, array, listed, named = torch.ones(3), np.ones(3), [torch.ones(3)], {"a": torch.ones(3)}
    meter = wrap(Keeper())
    meter.add(tensor, array, listed, named, key=tensor)
    for part in (tensor, array, listed[0], named["a"]):
        part[...] = float("nan")
    assert "nan" not in repr(meter.meter.kept)


def test_it_may_declare_outputs_and_be_windowed():
    class Declared(Keeper):
        outputs = (Output(kind="matrix"),)
        windowed = True

    meter = wrap(Declared())
    assert (meter.outputs, meter.windowed) == (Declared.outputs, True)
    assert wrap(Keeper()).outputs == (Output(kind="any"),)
    assert not wrap(Keeper()).windowed


def test_ours_are_not_wrapped():
    meter = build_meter("LastValueMeter")
    assert wrap(meter) is meter


# ---- values


def of(value, meter=None, kind="any"):
    return outputs_of(value, meter, kind)


def test_values_by_shape():
    assert of(3) == {"": 3.0}
    assert of((1.0, 0.5)) == {"": 1.0, ".std": 0.5}
    assert of((1.0, float("inf"))) == {"": 1.0}
    assert of([0.25]) == {"": 0.25}
    assert of([0.25, 0.5, 1.0])[""].kind == "vector"
    assert of({"a": 1.0, "b": torch.tensor(2.0)}) == {".a": 1.0, ".b": 2.0}
    assert of(np.zeros((3, 3)))[""].kind == "matrix"
    assert of("done")[""] == Payload("text", "done")
    assert of([torch.tensor(1.0), torch.zeros(3)])[".1"].kind == "vector"
    assert of(None) == {}


def test_what_has_no_kind_is_logged_as_it_is():
    assert of(torch.zeros(3, 2, 2))[""].kind == "any"
    assert of(np.zeros((2, 2, 2, 2)))[""].kind == "any"
    assert of(object)[""].kind == "text"


def test_the_hint_is_taken_where_it_fits():
    assert of(torch.zeros(3, 8, 8), kind="image")[""].kind == "image"
    assert of(torch.zeros(2, 8), kind="curve")[""].kind == "curve"
    assert of(torch.zeros(3, 8), kind="curve")[""].kind == "matrix"
    assert of(0.5, kind="matrix") == {"": 0.5}


def test_curves_are_thinned_evenly_with_their_ends():
    curve = torch.linspace(0, 1, 12345).expand(2, -1)
    found = thinned(curve)
    assert found.shape == (2, 1000)
    assert (found[0, 0], found[0, -1]) == (0, 1)
    assert found[0].diff().max() < 0.0011


# ---- torchnet's


@pytest.fixture
def torchnet_meter():
    return pytest.importorskip("torchnet.meter")


def test_torchnet_average(torchnet_meter):
    meter = wrap(torchnet_meter.AverageValueMeter())
    meter.add(1.0)
    assert meter.collect() == {"": 1.0}
    meter.add(3.0)
    assert meter.collect() == {"": 2.0, ".std": pytest.approx(2**0.5)}


def test_torchnet_moving_average_is_windowed(torchnet_meter):
    meter = wrap(torchnet_meter.MovingAverageValueMeter(3))
    meter.add(1.0)
    meter.add(3.0)
    assert meter.windowed
    assert meter.collect()[""] == 2.0


def test_torchnet_class_error(torchnet_meter):
    meter = wrap(torchnet_meter.ClassErrorMeter(topk=[1, 2]))
    meter.add(torch.tensor([[0.1, 0.9, 0.0], [0.5, 0.4, 0.1]]), torch.tensor([1, 1]))
    assert meter.collect() == {"@1": 50.0, "@2": 0.0}
    single = wrap(torchnet_meter.ClassErrorMeter())
    single.add(torch.tensor([[0.1, 0.9]]), torch.tensor([0]))
    assert single.collect() == {"": 100.0}


def test_torchnet_auc(torchnet_meter):
    meter = wrap(torchnet_meter.AUCMeter())
    meter.add(torch.tensor([0.9, 0.1, 0.8, 0.4]), torch.tensor([1, 0, 0, 1]))
    found = meter.collect()
    assert found[""] == 0.75
    assert (found[".curve"].kind, tuple(found[".curve"].value.shape)) == ("curve", (2, 5))
    assert found[".curve"].value[0].tolist() == [0, 0, 0.5, 0.5, 1]


def test_torchnet_confusion(torchnet_meter):
    meter = wrap(torchnet_meter.ConfusionMeter(2))
    meter.add(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]))
    assert meter.collect()[""].kind == "matrix"
    assert meter.collect()[""].value.tolist() == [[1, 1], [0, 1]]


# ---- torchmetrics'


@pytest.fixture
def tm():
    return pytest.importorskip("torchmetrics")


SCORES = torch.tensor([0.9, 0.1, 0.8, 0.4])
TRUTH = torch.tensor([1, 0, 0, 1])


def test_a_metric_counts_resets_and_takes_arrays_and_lists(tm):
    meter = build_meter("BinaryAccuracy", {})
    meter.add(SCORES, TRUTH)
    assert meter.collect() == {"": 0.5}
    meter.reset()
    assert meter.empty
    meter.add(SCORES.numpy(), TRUTH.numpy())
    assert meter.value() == 0.5
    meter.reset()
    meter.add([0.9, 0.1], [1, 0])
    assert meter.value() == 1.0


def test_list_states_are_copied(tm):
    meter = build_meter("BinaryAUROC", {})
    scores, truth = SCORES.clone(), TRUTH.clone()
    meter.add(scores, truth)
    scores.fill_(float("nan"))
    truth.zero_()
    assert meter.collect() == {"": 0.75}
    kept = build_meter("CatMetric", {})
    numbers = torch.tensor([1.0, 2.0])
    kept.add(numbers)
    numbers.fill_(0)
    assert kept.value().tolist() == [1.0, 2.0]


def test_roc_is_its_area_and_its_curve(tm):
    meter = build_meter("BinaryROC", {})
    meter.add(SCORES, TRUTH)
    found = meter.collect()
    assert found[""] == 0.75
    assert found[".curve"].value[:, 0].tolist() == [0, 0]
    assert found[".curve"].value[:, -1].tolist() == [1, 1]


def test_precision_recall_is_average_precision_and_its_curve(tm):
    meter, average = build_meter("BinaryPrecisionRecallCurve", {}), build_meter("BinaryAveragePrecision", {})
    for one in (meter, average):
        one.add(SCORES, TRUTH)
    found = meter.collect()
    assert found[""] == pytest.approx(average.collect()[""])
    x, y = found[".curve"].value
    assert (x[-1], y[-1]) == (0, 1)


@pytest.mark.parametrize("thresholds", [None, 5])
def test_curves_of_several_classes(tm, thresholds):
    meter = build_meter("MulticlassROC", {"num_classes": 3, "thresholds": thresholds})
    generator = torch.Generator().manual_seed(0)
    meter.add(torch.rand(50, 3, generator=generator).softmax(1), torch.arange(50) % 3)
    found = meter.collect()
    assert set(found) == {f".{i}{suffix}" for i in range(3) for suffix in ("", ".curve")}


def test_matrices_vectors_and_stacks_of_matrices(tm):
    opts = {"num_classes": 3}
    preds, target = torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 1, 2])
    matrix = build_meter("MulticlassConfusionMatrix", opts)
    matrix.add(preds, target)
    assert matrix.collect()[""].kind == "matrix"
    assert matrix.collect()[""].value[1].tolist() == [0, 1, 1]
    vector = build_meter("MulticlassF1Score", {**opts, "average": "none"})
    vector.add(preds, target)
    assert vector.collect()[""].kind == "vector"
    stack = build_meter("MultilabelConfusionMatrix", {"num_labels": 3})
    stack.add(torch.eye(3).int(), torch.eye(3).int())
    assert stack.collect()[""].kind == "any"


def test_collections_name_their_members(tm):
    from torchmetrics.classification import BinaryAccuracy, BinaryROC

    meter = build_meter(tm.MetricCollection([BinaryAccuracy(), BinaryROC()]), {})
    meter.add(SCORES, TRUTH)
    assert set(meter.collect()) == {".BinaryAccuracy", ".BinaryROC", ".BinaryROC.curve"}


def test_text_metrics_keep_their_strings(tm):
    meter = build_meter("WordErrorRate", {})
    meter.add(["a b c"], ["a b d"])
    assert meter.collect()[""] == pytest.approx(1 / 3)


def test_a_metric_of_ours_to_build_does_not_gather_over_ranks_by_itself(tm):
    assert not build_meter("BinaryAccuracy", {}).meter.sync_on_compute
    assert build_meter("BinaryAccuracy", {"sync_on_compute": True}).meter.sync_on_compute
    assert build_meter(tm.MeanMetric(), {}).meter.sync_on_compute


def test_gradients_are_let_go(tm):
    meter = build_meter("MeanMetric", {})
    meter.add(torch.ones(3, requires_grad=True) * 2)
    assert not meter.value().requires_grad


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_metric_follows_its_inputs_to_their_device(tm):
    meter = build_meter("BinaryAccuracy", {})
    meter.add(SCORES.cuda(), TRUTH.cuda())
    assert meter.collect()[""].device.type == "cuda"


def test_a_metric_follows_its_inputs_to_another_device(tm):
    meter = build_meter("SumMetric", {"nan_strategy": "disable"})
    meter.add(torch.ones(3, device="meta"))
    assert meter.collect()[""].device.type == "meta"


def test_what_is_no_meter_is_refused():
    with pytest.raises(ValueRefusedError, match="Expected a meter with add, value and reset, but got dict"):
        wrap({})
