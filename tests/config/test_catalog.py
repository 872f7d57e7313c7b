"""The one check of options, and that both catalogs are fit to be checked against."""

import math

import numpy as np
import pytest

from flexlogger.catalog import Option, check_opts, describe
from flexlogger.meters.catalog import METERS, declared_outputs
from flexlogger.plots.catalog import PLOTS


def messages(option, value):
    return [message for _, message in check_opts([option], {option.name: value})]


@pytest.mark.parametrize(
    ("types", "good", "bad"),
    [
        (("string",), ["", "x"], [1, None, True, []]),
        (("integer",), [0, -1, np.int32(3)], [1.0, True, "1", math.nan, np.float32(1)]),
        (("number",), [0, 1.5, np.float32(1)], [True, math.nan, math.inf, "1", 1j]),
        (("boolean",), [True, False], [0, 1, "no", None]),
        (("array",), [[], (1,)], ["ab", {}, 1]),
        (("object",), [{}], [[], "x"]),
        (("integer", "null"), [1, None], ["null", 0.5]),
    ],
)
def test_types_are_strict(types, good, bad):
    option = Option("o", types, "")
    assert all(not messages(option, value) for value in good)
    assert all(messages(option, value) for value in bad)


def test_entries_limits_and_choices():
    sizes = Option("o", ("array",), "", items=("integer",), minimum=1, maximum=9)
    assert not messages(sizes, [1, 9])
    assert messages(sizes, [1, "x"]) == ["expected a list of integers of at least 1 and at most 9, but entry 1 is 'x'"]
    assert messages(sizes, [10]) == ["expected a list of integers of at least 1 and at most 9, but got 10"]
    scale = Option("o", ("string", "null"), "", choices=("linear", "log"))
    assert not messages(scale, "log")
    assert not messages(scale, None)
    assert messages(scale, "lag") == ["expected one of linear, log, but got 'lag'"]
    assert messages(Option("o", ("integer",), "", choices=(1, 2)), True)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "null"), (False, "false"), ([1], "a list"), ({}, "a mapping"), (object(), "an object"), (1.5, "1.5")],
)
def test_what_came_is_told_in_one_line(value, shown):
    assert describe(value) == shown
    assert len(describe("x" * 1000)) <= 60


def test_a_huge_integer_can_be_told():
    assert len(describe(10**5000)) <= 60


def test_unknown_and_missing_keys():
    options = [Option("k", ("integer",), "classes", required=True), Option("size", ("integer",), "")]
    assert check_opts(options, {"sise": 1}) == [
        ("sise", "unknown option 'sise'; did you mean 'size'?"),
        ("k", "missing option 'k': classes"),
    ]


@pytest.mark.parametrize("info", [*PLOTS.values(), *METERS.values()], ids=lambda info: info.name)
def test_a_catalog_entry_is_consistent(info):
    assert info.doc
    assert info.example
    names = [option.name for option in info.options]
    assert len(set(names)) == len(names)
    for option in info.options:
        assert option.doc
        if option.default is not None:
            assert check_opts([option], {option.name: option.default}) == []


@pytest.mark.parametrize("name", METERS)
def test_every_meter_has_a_plot_that_draws_it(name):
    required = {option.name: 3 for option in METERS[name].options if option.required}
    kinds = {output.kind for output in declared_outputs(name, required)}
    assert any(kinds & info.accepts for info in PLOTS.values())
