from __future__ import annotations

import math
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexlogger.records import Event, Item, Record
from flexlogger.runs.format import plain
from flexlogger.runs.summaries import WAYS, Summary


def metric(name: str, *ways: str, **more: Any) -> Event:
    return Event(0.0, "metric", {"name": name, "summary": list(ways), **more})


def logged(name: str, *values: float) -> list[Item]:
    return [Record(step, float(step), {name: value}) for step, value in enumerate(values)]


def summary(*items: Item) -> dict[str, Any]:
    told = Summary()
    told.write(items)
    return told.as_dict()


def test_without_a_rule_the_last_value_counts() -> None:
    assert summary(*logged("loss", 3.0, 1.0, 2.0)) == {"loss": 2.0}


def test_a_rule_says_what_counts_whenever_it_comes() -> None:
    rule = metric("loss", "min", "max", "mean", "first", "last")
    told = {"loss": {"min": 1.0, "max": 3.0, "mean": 2.0, "last": 2.0, "first": 3.0}}
    values = logged("loss", 3.0, 1.0, 2.0)
    assert summary(rule, *values) == summary(*values, rule) == summary(values[0], rule, *values[1:]) == told


@pytest.mark.parametrize(("goal", "best"), [("minimize", 1.0), ("maximize", 3.0), (None, 1.0)])
def test_the_best_value_depends_on_the_goal(goal: str | None, best: float) -> None:
    assert summary(metric("acc", "best", goal=goal), *logged("acc", 3.0, 1.0, 2.0)) == {"acc": {"best": best}}


def test_none_leaves_a_name_out() -> None:
    assert summary(metric("_*", "none"), *logged("_time", 1.0), *logged("loss", 2.0)) == {"loss": 2.0}


def test_a_rule_without_a_summary_leaves_the_last_value() -> None:
    assert summary(metric("loss", step_metric="epoch"), *logged("loss", 2.0)) == {"loss": 2.0}


@pytest.mark.parametrize(
    "rules",
    [
        [metric("*", "last"), metric("val_*", "max"), metric("val_loss", "min")],
        [metric("val_loss", "min"), metric("*", "last"), metric("val_*", "max")],
        [metric("val_los?", "max"), metric("val_loss", "min")],
        [metric("val_*", "max"), metric("*_loss", "last"), metric("val_l*", "min")],
        [metric("*loss", "max"), metric("val_*", "last"), metric("*_loss", "min")],
        [metric("val_loss", "max"), metric("val_loss", "min")],
        [metric("*_loss", "max"), metric("val_l*", "min")],
    ],
)
def test_the_most_specific_rule_counts_and_of_equals_the_latest(rules: list[Event]) -> None:
    assert summary(*rules, *logged("val_loss", 2.0, 1.0, 3.0)) == {"val_loss": {"min": 1.0}}


def test_a_name_with_wildcards_in_it_is_meant_as_it_is_written() -> None:
    assert summary(metric("top[5]", "max"), *logged("top[5]", 2.0, 1.0)) == {"top[5]": {"max": 2.0}}


def test_what_the_user_set_goes_before_what_was_logged() -> None:
    by_hand = Event(0.0, "summary", {"set": {"loss": 7.0, "note": "good"}})
    assert summary(by_hand, *logged("loss", 1.0)) == {"loss": 7.0, "note": "good"}
    deleted = Event(0.0, "summary", {"delete": ["loss"]})
    assert summary(*logged("loss", 1.0), by_hand, deleted) == {"note": "good"}
    assert summary(*logged("loss", 1.0), deleted, *logged("loss", 5.0)) == {"loss": 5.0}


def test_values_that_are_no_numbers_are_never_lowest_or_highest() -> None:
    rule = metric("a", "min", "max", "mean", "best", "last")
    told = summary(rule, *logged("a", math.nan, 2.0, math.inf, 4.0, -math.inf))
    assert told == {"a": {"min": 2.0, "max": 4.0, "mean": 3.0, "last": "-Infinity", "best": 2.0}}
    assert summary(rule, *logged("a", math.nan))["a"] == dict.fromkeys(("min", "max", "mean", "last", "best"), "NaN")


def test_values_at_the_edge_of_what_floats_hold() -> None:
    rule = metric("a", "mean")
    assert summary(rule, *logged("a", 1.7e308, 1.7e308))["a"]["mean"] == pytest.approx(1.7e308)


def test_first_and_last_are_in_log_order_however_names_are_mixed() -> None:
    steps = [{"a": 1.0, "b": 1.0}, {"a": 2.0}, {"a": 3.0, "b": 3.0}, {"b": 4.0}, {"a": 5.0}]
    told = summary(metric("*", "first", "last"), *(Record(n, 0.0, values) for n, values in enumerate(steps)))
    assert told == {"a": {"first": 1.0, "last": 5.0}, "b": {"first": 1.0, "last": 4.0}}


def test_names_are_bounded_and_those_left_out_are_told(caplog: pytest.LogCaptureFixture) -> None:
    told = summary(*(Record(n, 0.0, {f"name_{n}": 1.0}) for n in range(10_050)))
    assert len(told) == 10_000
    assert [record.getMessage() for record in caplog.records] == [
        "flexlogger: more than 10000 names: those beyond are not in the summary"
    ]


NAMES = ["loss", "val_loss", "val_acc", "x"]
GLOBS = [*NAMES, "*", "val_*", "*_loss", "val_los?", "[lx]*"]
RECORDS = st.lists(
    st.builds(
        lambda step, values: Record(step, 0.0, values),
        st.integers(0, 100),
        st.dictionaries(st.sampled_from(NAMES), st.floats(-1e9, 1e9) | st.sampled_from([math.nan, math.inf])),
    ),
    max_size=40,
)
RULES = st.lists(
    st.builds(
        lambda name, ways, goal: metric(name, *ways, goal=goal),
        st.sampled_from(GLOBS),
        st.lists(st.sampled_from(WAYS), unique=True, max_size=3),
        st.sampled_from(["minimize", "maximize", None]),
    ),
    max_size=5,
)


@given(records=RECORDS, rules=RULES, cuts=st.lists(st.integers(0, 40), max_size=4))
def test_it_agrees_with_the_obvious_way_however_it_is_fed(
    records: list[Item], rules: list[Item], cuts: list[int]
) -> None:
    fed = Summary()
    items = [*rules, *records]
    for start, stop in pairwise(sorted([0, *cuts, len(items)])):
        fed.write(items[start:stop])
    expected = obvious(records, [rule.info for rule in rules if isinstance(rule, Event)])
    assert fed.as_dict().keys() == expected.keys()
    for name, entry in fed.as_dict().items():
        assert alike(entry, expected[name])


def alike(entry: Any, expected: Any) -> bool:
    if isinstance(entry, dict):
        return entry.keys() == expected.keys() and all(alike(value, expected[way]) for way, value in entry.items())
    numbers = isinstance(entry, float) and isinstance(expected, float)
    return entry == expected or (numbers and entry == pytest.approx(expected, rel=1e-9, abs=1e-6))


def obvious(records: list[Item], rules: list[dict[str, Any]]) -> dict[str, Any]:
    values: dict[str, list[float]] = {}
    for record in records:
        for name, value in record.values.items():  # type: ignore[union-attr]
            values.setdefault(name, []).append(value)
    told = {name: entry_of(numbers, rule_for(name, rules)) for name, numbers in values.items()}
    return {name: plain(entry) for name, entry in told.items() if entry is not None}


def rule_for(name: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    fitting = {rule["name"]: (place, rule) for place, rule in enumerate(rules) if fnmatchcase(name, rule["name"])}
    if name in fitting:
        return fitting[name][1]
    ranked = sorted(fitting.values(), key=lambda found: (literal(found[1]["name"]), found[0]))
    return ranked[-1][1] if ranked else {}


def literal(glob: str) -> int:
    return sum(character not in "*?[]" for character in glob)


def entry_of(numbers: list[float], rule: dict[str, Any]) -> Any:
    ways = rule.get("summary")
    if not ways:
        return numbers[-1]
    if "none" in ways:
        return None
    finite = [number for number in numbers if math.isfinite(number)] or [math.nan]
    best = max(finite) if rule["goal"] == "maximize" else min(finite)
    told = {"min": min(finite), "max": max(finite), "mean": float(np.mean(finite)), "best": best}
    told |= {"first": numbers[0], "last": numbers[-1]}
    return {way: told[way] for way in ways}
