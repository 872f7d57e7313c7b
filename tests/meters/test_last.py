"""The meter that keeps the latest value of anything."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.base import Payload
from flexlogger.meters.last import LastValueMeter
from flexlogger.meters.values import KINDS


def test_the_latest_number_counts():
    meter = LastValueMeter()
    assert meter.empty
    assert math.isnan(meter.value())
    for number in (1.5, 2, np.float32(3.5), torch.tensor(4.5)):
        meter.add(number)
    assert (meter.value(), meter.collect(), meter.empty) == (4.5, {"": 4.5}, False)
    meter.add(1)
    assert meter.value() == 1.0
    meter.reset()
    assert meter.empty
    assert meter.collect() == {}


@given(st.lists(st.tuples(st.sampled_from(["push", "add", "tensor", "fold", "reset"]), st.floats(allow_nan=False))))
def test_any_order_of_pushes_adds_folds_and_resets_keeps_the_last(calls):
    meter, last, buffer = LastValueMeter(), None, None
    buffer = meter.buffer
    for call, number in calls:
        if call == "push":
            buffer.append(number)
        elif call == "add":
            meter.add(number)
        elif call == "tensor":
            meter.add(torch.tensor(number, dtype=torch.float64))
        else:
            getattr(meter, call)()
        last = None if call == "reset" else last if call == "fold" else number
        assert meter.empty == (last is None)
    assert meter.collect() == ({} if last is None else {"": last})


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (torch.rand(4), "any"),
        (torch.rand(3, 8, 8), "any"),
        (torch.rand(4, 4), "histogram"),
        (torch.rand(2, 3, 8, 8), "images"),
        (torch.tensor([0.5]), "any"),
        (np.random.default_rng(0).random((4, 4)), "any"),
        (np.random.default_rng(0).random((5, 2)), "points"),
        ([torch.rand(4), torch.rand(4)], "curve"),
        ({"a": torch.rand(4), "b": torch.tensor(1.0)}, "any"),
        ({"a": np.zeros(3), "b": torch.zeros(3)}, "table"),
    ],
)
def test_what_was_added_may_be_overwritten(value, kind):
    def fill(entry):
        for part in entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else [entry]:
            part[...] = float("nan")

    meter, untouched = LastValueMeter(kind), LastValueMeter(kind)
    meter.add(value)
    untouched.add(value)
    before, logged = repr(meter.value()), repr(meter.collect())
    fill(value)
    assert (repr(meter.value()), repr(meter.collect())) == (before, logged)
    assert "nan" not in before


def test_several_arguments_are_a_list_and_named_ones_a_dict():
    meter = LastValueMeter()
    meter.add(1.0, 2.0, 3.0)
    assert meter.collect()[""].kind == "vector"
    meter.add(lr=0.1, momentum=0.9)
    assert meter.collect() == meter.value() == {".lr": 0.1, ".momentum": 0.9}
    meter.add(columns=["word"], rows=[["cat"]])
    assert json.loads(meter.value()) == {"columns": ["word"], "rows": [["cat"]]}
    with pytest.raises(ValueRefusedError):
        meter.add()
    with pytest.raises(ValueRefusedError):
        meter.add(1.0, lr=0.1)


def test_a_named_argument_may_be_called_self():
    meter = LastValueMeter()
    meter.add(self=1.0, values=2.0)
    assert meter.value() == {".self": 1.0, ".values": 2.0}


def test_texts():
    meter = LastValueMeter()
    meter.add("hello")
    assert (meter.value(), meter.collect()) == ("hello", {"": Payload("text", "hello")})


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"any", "scalar"}))
def test_a_number_where_something_else_is_declared_is_refused_at_once(kind):
    meter = LastValueMeter(kind)
    for push in (meter.add, meter.buffer.append):
        with pytest.raises(ValueRefusedError, match=r"^Expected .*, but got 3\.0$"):
            push(3.0)
    assert meter.empty


def test_a_refused_value_leaves_the_meter_as_it_was():
    meter = LastValueMeter("matrix")
    meter.add([[1, 2], [3, 4]])
    with pytest.raises(ValueRefusedError):
        meter.add([1, 2, 3])
    assert meter.value().tolist() == [[1, 2], [3, 4]]


def test_an_unknown_kind_is_refused_with_the_nearest():
    with pytest.raises(ValueRefusedError, match="did you mean 'images'"):
        LastValueMeter("imges")


def test_a_number_on_a_device_is_collected_there():
    meter = LastValueMeter()
    meter.add(torch.zeros((), device="meta"))
    assert meter.collect()[""].device.type == "meta"
    meter.add(0.5)
    assert meter.collect() == {"": 0.5}


def test_gradients_are_let_go():
    meter = LastValueMeter()
    meter.add(torch.rand(5, requires_grad=True) * 2)
    assert not meter.value().requires_grad
