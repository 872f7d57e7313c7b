"""Any Mapping becomes the same tree that YAML gives."""

import os
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from omegaconf import OmegaConf

from flexlogger.config.document import parse
from flexlogger.config.mapping import from_mapping
from flexlogger.config.tree import Problems, plain


def tree_of(mapping):
    problems = Problems()
    return from_mapping(mapping, problems), problems.found


@pytest.mark.parametrize("kind", [dict, OrderedDict, MappingProxyType, OmegaConf.create])
def test_a_mapping_gives_what_the_same_yaml_gives(kind):
    text = "plots: {loss: {type: line, opts: {ytype: log}}}\nphases: [train, 1, 0.5, true, null]\n"
    expected = plain(parse(text, "f.yaml", Problems()))
    tree, problems = tree_of(kind(expected))
    assert plain(tree) == expected
    assert not problems


def test_places_name_no_line():
    tree, _ = tree_of({"a": {"b": 1}})
    assert str(tree.get("a").get("b").place) == "<dict>"


def test_numpy_scalars_and_tuples_become_plain():
    tree, _ = tree_of({"a": (np.int64(3), np.float32(0.5), np.bool_(True), np.str_("x"))})
    values = plain(tree)["a"]
    assert values == [3, 0.5, True, "x"]
    assert [type(value) for value in values] == [int, float, bool, str]


def test_a_path_is_taken_for_its_text():
    tree, problems = tree_of({"dir": Path("runs") / "here"})
    assert plain(tree) == {"dir": os.path.join("runs", "here")}
    assert not problems


def test_any_object_passes_as_it_is():
    thing = object()
    tree, problems = tree_of({"type": thing, "class": dict})
    assert plain(tree) == {"type": thing, "class": dict}
    assert not problems


def test_interpolations_of_hydra_are_resolved_and_nested_configs_too():
    config = OmegaConf.create({"k": 10, "meters": {"m": {"opts": {"k": "${k}"}}}, "l": [1, "${k}"]})
    tree, _ = tree_of(config)
    assert plain(tree) == {"k": 10, "meters": {"m": {"opts": {"k": 10}}}, "l": [1, 10]}
    tree, _ = tree_of({"inner": config})
    assert plain(tree)["inner"]["l"] == [1, 10]


def test_an_interpolation_that_fails_is_a_problem_at_its_key():
    _, problems = tree_of({"outer": OmegaConf.create({"a": {"b": "${nope}"}})})
    assert [(p.path, "nope" in p.message) for p in problems] == [("outer.a.b", True)]
    _, problems = tree_of(OmegaConf.create({"a": "???"}))
    assert [p.path for p in problems] == ["a"]


def test_keys_that_are_no_strings_are_refused_and_the_rest_is_read():
    tree, problems = tree_of({1: "x", None: "y", "a": {2: 3}, "b": 1})
    assert [p.path for p in problems] == ["", "", "a"]
    assert plain(tree) == {"a": {}, "b": 1}


def test_a_mapping_that_holds_itself_is_refused():
    mapping = {"a": {}}
    mapping["a"]["b"] = mapping
    _, problems = tree_of(mapping)
    assert [(p.path, "a cycle" in p.message) for p in problems] == [("a.b", True)]


def test_a_mapping_that_doubles_at_each_level_is_refused():
    value = ["x"]
    for _ in range(40):
        value = [value, value]
    _, problems = tree_of({"a": value})
    assert len(problems) == 1
    assert "at most 100,000 values" in problems[0].message


def test_depth_is_limited_as_in_yaml():
    value = []
    for _ in range(60):
        value = [value]
    _, problems = tree_of({"a": value})
    assert "at most 50 levels" in problems[0].message


def test_integers_beyond_64_bits_are_refused():
    _, problems = tree_of({"a": 10**5000})
    assert "64 bits" in problems[0].message


def test_reading_a_dict_imports_no_omegaconf():
    code = (
        "import sys; from flexlogger.config.mapping import from_mapping; from flexlogger.config.tree import Problems;"
        "from_mapping({'a': 1}, Problems()); assert not {'omegaconf', 'torch', 'visdom'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
