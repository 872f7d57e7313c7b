"""Records as columns are the same records; what columns cannot hold exactly stays as it is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexlogger.records import Datum, Definition, Event, Item, Record, Scalars
from flexlogger.rows import LEAST, Packed, Rows, held, packed

NAMES = st.sampled_from([("a",), ("b",), ("a", "b"), ("b", "a"), ()])
STEPS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
NUMBERS = st.one_of(st.floats(), st.integers(-(2**70), 2**70), st.booleans())


@st.composite
def items(draw: st.DrawFn) -> list[Item]:
    """Runs of alike items, long and short."""
    found: list[Item] = []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(["records", "odd records", "many at once", "event", "data"]))
        count = draw(st.sampled_from([1, LEAST - 1, LEAST, 3 * LEAST]))
        names, step, number = draw(NAMES), draw(STEPS), draw(st.floats())
        for n in range(count):
            if kind == "event":
                found.append(Event(float(n), "status", {}))
            elif kind == "data":
                found.append(Record(n, 0.5, {"a": 1.0}, (Datum("m", "matrix", np.zeros((2, 2))),)))
            elif kind == "records":
                found.append(Record(int(step) % 2**40 + n, n / 7, dict.fromkeys(names, number + n)))
            elif kind == "many at once":
                found.append(Record(n, n / 7, Scalars(names, np.full(len(names), number + n))))
            else:
                found.append(Record(draw(STEPS), n / 7, {name: draw(NUMBERS) for name in names}))
    return found


def exactly(one: Any, other: Any) -> bool:
    """Equal in type too; NaN is itself."""
    if isinstance(one, Record) and isinstance(other, Record):
        pairs = [(one.step, other.step), (one.time, other.time), *zip(one.values.values(), other.values.values())]  # noqa: B905
        alike = all(type(a) is type(b) and (a == b or (a != a and b != b)) for a, b in pairs)
        return alike and list(one.values) == list(other.values) and one.data is other.data
    return one is other


@given(items())
def test_a_packed_batch_is_the_same_batch(batch: list[Item]) -> None:
    packed_batch = Packed(batch)
    assert len(packed_batch) == len(batch)
    assert all(exactly(one, other) for one, other in zip(packed_batch, batch, strict=True))


@given(items())
def test_rows_are_found_wherever_they_are_worth_it(batch: list[Item]) -> None:
    for part in packed(batch):
        if isinstance(part, Rows):
            assert len(part) >= LEAST
            assert len(part.columns) == len(part.names) > 0


def run(first: int, count: int, **values: float) -> list[Record]:
    return [Record(step, float(step), dict(values)) for step in range(first, first + count)]


def test_few_wide_records_are_worth_columns_too() -> None:
    wide: list[Item] = [Record(step, 0.0, {f"n{n}": 0.5 for n in range(600)}) for step in range(2)]
    (rows,) = packed(wide)
    assert isinstance(rows, Rows)
    assert list(rows) == wide
    assert packed(wide[:1]) == [wide[:1]]


def test_rows_behind_each_other_are_one() -> None:
    first, second = (packed(run(start, 40, a=1.0, b=2.0))[0] for start in (0, 40))
    assert isinstance(first, Rows)
    assert isinstance(second, Rows)
    assert first.fits(second)
    assert list(Rows.joined([first, second])) == run(0, 80, a=1.0, b=2.0)
    assert not first.fits(packed(run(0, 40, b=1.0, a=2.0))[0])
    assert not first.fits(run(0, 40, a=1.0, b=2.0))


def test_a_row_is_a_record_again() -> None:
    rows = Rows.of(run(0, 5, a=1.5), ("a",))
    assert rows[3] == Record(3, 3.0, {"a": 1.5})
    assert [record.step for record in rows[1:3]] == [1, 2]
    assert (rows.step(-1), rows.highest, type(rows.highest)) == (4, 4, int)


@pytest.mark.parametrize("step", [2**53, -(2**60), 2**80])
def test_steps_that_columns_would_round_stay_in_their_records(step: int) -> None:
    records: list[Item] = [Record(step + n, 0.0, {"a": 1.0}) for n in range(LEAST)]
    assert packed(records) == [records]


def test_columns_weigh_what_they_hold() -> None:
    records: list[Item] = [*run(0, 1000, a=1.0, b=math.nan)]
    (rows,) = packed(records)
    assert held(rows) == 1000 * 4 * 8
    assert held(records) == 1000 * 512
    assert held([Definition(0.0, (), ())]) == 512
