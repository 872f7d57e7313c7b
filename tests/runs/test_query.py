"""Filters over runs: what passes, what is refused, and with which hint."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexlogger.errors import UnknownNameError, ValueRefusedError
from flexlogger.runs.query import MISSING, check, keys, lookup, order, parse

RUN: dict[str, Any] = {
    "id": "r1",
    "status": "finished",
    "tags": ["demo", "cnn"],
    "git": {"commit": "abc", "dirty": False},
    "config": {"lr": 0.0005, "amp": True, "optimizer": {"name": "adam"}, "a.b": 3, "seed": None, "sizes": [8, 16]},
    "summary": {"loss": {"min": 0.25}, "acc": {"max": 0.9, "last": 0.8}, "bad": "NaN", "high": "Infinity"},
}


@pytest.mark.parametrize(
    "text",
    [
        "config.lr<1e-3",
        "config.lr <= 5e-4",
        "config.lr=0.0005",
        "config.lr==5e-4",
        "config.lr!=1",
        "config.amp=true",
        "config.amp=True",
        "config.amp!=false",
        "git.dirty=false",
        "config.seed=null",
        "config.optimizer.name=adam",
        "config.optimizer.name='adam'",
        "config.optimizer.name~a*m",
        "config.optimizer.name!=sgd",
        "config.a.b=3",
        "config.sizes=16",
        "config.sizes>10",
        "tags=cnn",
        "tags~d?mo",
        "tags!=rnn",
        "status=finished",
        "summary.loss<0.3",
        "summary.loss.min<0.3",
        "summary.acc.max>=0.9",
        "summary.bad=NaN",
        "summary.bad=nan",
        "summary.high>1e300",
        "id>r",
    ],
)
def test_what_passes(text: str) -> None:
    assert parse(text).matches(RUN)
    check([parse(text)], [RUN])


@pytest.mark.parametrize(
    "text",
    [
        "config.lr>1e-3",
        "config.lr!=5e-4",
        "config.amp=1",
        "config.amp=yes",
        "config.optimizer.name=Adam",
        "tags!=cnn",
        "summary.bad<1",
        "summary.bad>1",
        "summary.acc>0",
        "config.other=3",
        "config.other!=3",
        "config.optimizer=adam!",
    ],
)
def test_what_does_not(text: str) -> None:
    assert not parse(text).matches(RUN)


@pytest.mark.parametrize("text", ["", "config.lr", "<3", "=", "~a*", "  "])
def test_what_is_no_filter_is_one_line(text: str) -> None:
    with pytest.raises(ValueRefusedError, match="expected KEY, one of") as refused:
        parse(text)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "near"), [("config.lt<1", "config.lr"), ("lr<1", "config.lr"), ("summary.los<1", "summary.loss.min")]
)
def test_a_key_that_no_run_has_is_answered_with_the_nearest(text: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=f"did you mean '{near}'"):
        check([parse(text)], [RUN])


def test_a_key_like_none_is_answered_with_what_there_is() -> None:
    with pytest.raises(UnknownNameError, match=r"there are config\.a\.b, config\.amp"):
        check([parse("xyzzy=1")], [RUN])


def test_a_key_that_one_run_has_is_known_and_without_runs_there_is_nothing_to_know() -> None:
    check([parse("config.lr<1")], [{"id": "r2"}, RUN])
    check([parse("anything<1")], [])


def test_a_number_is_not_compared_with_a_word() -> None:
    with pytest.raises(ValueRefusedError, match=r"config\.lr is a number; expected one after <, got 'small'"):
        check([parse("config.lr<small")], [RUN])


def test_order_puts_what_lacks_the_key_last_either_way() -> None:
    facts = [{"v": 2}, {}, {"v": "NaN"}, {"v": "b"}, {"v": 1}, {"v": "Infinity"}]
    assert order(facts, "v") == [4, 0, 5, 3, 1, 2]
    assert order(facts, "-v") == [3, 5, 0, 4, 1, 2]


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=4), below, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(max_size=4), plain, max_size=4),
    st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "~"]),
    st.text(),
)
def test_no_facts_and_no_value_make_a_filter_fail(facts: dict[str, Any], operator: str, wanted: str) -> None:
    for path in keys(facts):
        assert lookup(facts, path) is not MISSING
    parse(f"a.b{operator}{wanted}").matches(facts | {"a": {"b": 1.5}})
    assert sorted(order([facts, {"a": {"b": 1}}], "a.b")) == [0, 1]
