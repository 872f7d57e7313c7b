from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexlogger.errors import UnknownNameError
from flexlogger.runs.export import chosen, long, wide, write_csv, write_json
from flexlogger.runs.reader import Series

steps = st.lists(st.integers(0, 50) | st.floats(0, 50), unique=True, max_size=20).map(sorted)


def series(points: dict[float, float]) -> Series:
    return Series(np.array(list(points), np.float64), np.array(list(points.values()), np.float64))


RUNS = {
    "p/a": {"loss": series({0: 1.0, 1: math.nan}), "acc": series({1: 0.5, 2.5: math.inf})},
    "p/b": {"val_loss": series({0: -math.inf})},
}


def test_names_are_chosen_by_globs_in_the_order_in_which_they_were_logged() -> None:
    assert chosen(RUNS, []) == ["loss", "acc", "val_loss"]
    assert chosen(RUNS, ["*loss"]) == ["loss", "val_loss"]
    with pytest.raises(UnknownNameError, match="unknown series 'los'; did you mean 'loss'"):
        chosen(RUNS, ["acc", "los"])


def test_csv_says_what_is_missing_and_what_is_not_finite() -> None:
    out = io.StringIO()
    write_csv(wide(RUNS, ["loss", "acc", "val_loss"]), out)
    assert out.getvalue().splitlines() == [
        "run,step,loss,acc,val_loss",
        "p/a,0,1.0,,",
        "p/a,1,NaN,0.5,",
        "p/a,2.5,,Infinity,",
        "p/b,0,,,-Infinity",
    ]


def test_json_is_a_list_of_rows_also_without_any() -> None:
    out = io.StringIO()
    write_json(long(RUNS, ["acc"]), out)
    assert json.loads(out.getvalue()) == [
        {"run": "p/a", "name": "acc", "step": 1, "value": 0.5},
        {"run": "p/a", "name": "acc", "step": 2.5, "value": "Infinity"},
    ]
    empty = io.StringIO()
    write_json(wide({}, []), empty)
    assert json.loads(empty.getvalue()) == []


@given(st.dictionaries(st.sampled_from("abc"), steps, max_size=3))
def test_both_forms_hold_every_value_once(logged: dict[str, list[float]]) -> None:
    curves = {name: series({step: step * 2 for step in of}) for name, of in logged.items()}
    out = io.StringIO()
    write_csv(wide({"r": curves}, list(curves)), out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    found = {name: [float(row["step"]) for row in rows if row[name] != ""] for name in curves}
    assert found == {name: [float(step) for step in of] for name, of in logged.items()}
    assert sum(1 for _ in long({"r": curves}, list(curves))) - 1 == sum(map(len, logged.values()))
