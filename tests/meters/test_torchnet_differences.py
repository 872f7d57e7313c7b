"""Where our meters differ from torchnet's on purpose: the table of docs/meters.md, both sides of each row."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from flexlogger.errors import ValueRefusedError
from tests.meter_cases import make

torchnet = pytest.importorskip("torchnet.meter")
DOCS = Path(__file__).parents[2] / "docs" / "meters.md"


def test_every_row_of_the_table_is_tested_here() -> None:
    rows = [line for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    tested = [name for name in globals() if name.startswith("test_differs_")]
    assert len(rows) == len(tested)


def test_differs_add_with_n() -> None:
    ours, theirs = make("AverageValueMeter"), torchnet.AverageValueMeter()
    ours.add(2.0, 3)
    theirs.add(6.0, 3)  # the sum of three samples
    assert ours.value()[0] == theirs.value()[0] == 2.0


def test_differs_average_of_nothing_has_no_record() -> None:
    ours, theirs = make("AverageValueMeter"), torchnet.AverageValueMeter()
    assert ours.empty
    assert all(map(math.isnan, ours.value()))
    assert all(map(math.isnan, theirs.value()))


def test_differs_std_of_one() -> None:
    ours, theirs = make("AverageValueMeter"), torchnet.AverageValueMeter()
    ours.add(1.0), theirs.add(1.0)
    assert math.isnan(ours.value()[1])
    assert ".std" not in ours.collect()
    assert theirs.value()[1] == math.inf


def test_differs_average_of_arrays() -> None:
    ours, theirs = make("AverageValueMeter"), torchnet.AverageValueMeter()
    with pytest.raises(ValueRefusedError, match=r"Expected one number but got an array of shape \(2,\)"):
        ours.add(np.array([1.0, 3.0]))
    theirs.add(np.array([1.0, 3.0]))
    assert theirs.value()[0].tolist() == [1.0, 3.0]


def test_differs_moving_std_of_one_and_empty() -> None:
    ours, theirs = make("MovingAverageValueMeter", windowsize=3), torchnet.MovingAverageValueMeter(3)
    assert (math.isnan(ours.value()[0]), theirs.value()[0]) == (True, 0.0)
    ours.add(1.0), theirs.add(1.0)
    assert (math.isnan(ours.value()[1]), theirs.value()[1]) == (True, 0.0)


def test_differs_mse_broadcasting() -> None:
    ours, theirs = make("MSEMeter"), torchnet.MSEMeter()
    column, row = torch.tensor([[0.0], [1.0]]), torch.tensor([0.0, 1.0])
    with pytest.raises(ValueRefusedError, match=r"one shape but got \(2, 1\) and \(2,\)"):
        ours.add(column, row)
    theirs.add(column, row)
    assert float(theirs.value()) == 1.0  # the error of equal values


def test_differs_mse_empty_and_type() -> None:
    ours, theirs = make("MSEMeter"), torchnet.MSEMeter()
    assert (math.isnan(ours.value()), theirs.value()) == (True, 0.0)
    one = (torch.zeros(2), torch.ones(2))
    ours.add(*one), theirs.add(*one)
    assert (type(ours.value()), type(theirs.value())) == (float, torch.Tensor)


def test_differs_confusion_of_a_class_out_of_range() -> None:
    ours, theirs = make("ConfusionMeter", k=3), torchnet.ConfusionMeter(3)
    with pytest.raises(ValueRefusedError, match="Expected classes from 0 to 2 but sample 1 is not"):
        ours.add(torch.tensor([0, 1]), torch.tensor([0, 3]))
    with pytest.raises(AssertionError):  # without a word
        theirs.add(torch.tensor([0, 1]), torch.tensor([0, 3]))


def test_differs_confusion_counts_beyond_32_bits() -> None:
    ours, theirs = make("ConfusionMeter", k=2), torchnet.ConfusionMeter(2)
    assert ours.value().dtype == np.int64
    assert theirs.value().dtype == np.int32


def test_differs_confusion_of_a_probability() -> None:
    ours, theirs = make("ConfusionMeter", k=2), torchnet.ConfusionMeter(2)
    with pytest.raises(ValueRefusedError, match="Expected classes from 0 to 1 but sample 0 is not"):
        ours.add(torch.tensor([0.7]), torch.tensor([1]))
    theirs.add(torch.tensor([0.7]), torch.tensor([1]))
    assert theirs.value()[1, 0] == 1  # 0.7 was taken for class 0


def test_differs_class_error_empty() -> None:
    with pytest.raises(ZeroDivisionError):
        torchnet.ClassErrorMeter().value()
    assert math.isnan(make("ClassErrorMeter").value()[0])


def test_differs_auc_of_equal_scores() -> None:
    scores, targets = torch.zeros(4), torch.tensor([1, 1, 0, 0])
    ours, theirs = make("AUCMeter"), torchnet.AUCMeter()
    ours.add(scores, targets), theirs.add(scores, targets)
    assert ours.value()[0] == 0.5
    assert theirs.value()[0] != 0.5  # whatever order the sort leaves


def test_differs_auc_empty() -> None:
    assert torchnet.AUCMeter().value() == 0.5
    assert math.isnan(make("AUCMeter").value()[0])


def test_differs_ap_empty() -> None:
    assert torchnet.APMeter().value() == 0
    assert make("APMeter").value().shape == (0,)


def test_differs_map_empty() -> None:
    with pytest.raises(AttributeError):
        torchnet.mAPMeter().value()
    assert math.isnan(make("mAPMeter").value())


def test_differs_time_per_unit() -> None:
    ticks = iter([0.0, 6.0])
    ours = make("TimeMeter", unit=True, clock=lambda: next(ticks))
    ours.add()
    ours.add()
    assert ours.value() == 3.0
    theirs = torchnet.TimeMeter(True)
    theirs.add(1)
    theirs.add(1)
    assert theirs.n == 0  # it never counts
