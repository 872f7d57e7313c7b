"""Hyper-parameters, in whatever training code holds them, become plain data."""

import argparse
import dataclasses
import enum
import json
from pathlib import Path

import numpy as np
import pytest

from flexlogger.config.hyper import plain_data
from flexlogger.config.load import load


@dataclasses.dataclass
class Optimizer:
    lr: float
    betas: tuple[float, float] = (0.9, 0.999)


class Size(enum.IntEnum):
    SMALL = 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (np.bool_(True), True),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (Size.SMALL, 3),
        (np.arange(3), [0, 1, 2]),
        ({"b", "a"}, ["a", "b"]),
        (Path("data") / "x", "data/x"),
        (argparse.Namespace(lr=0.1, opt=argparse.Namespace(name="sgd")), {"lr": 0.1, "opt": {"name": "sgd"}}),
        (Optimizer(0.1), {"lr": 0.1, "betas": [0.9, 0.999]}),
        ({1: {"x": (1, 2)}}, {"1": {"x": [1, 2]}}),
        (Optimizer, f"{Optimizer}"),
    ],
)
def test_each_kind_has_a_plain_form(value, expected):
    plain = plain_data(value)
    assert plain == expected
    assert type(plain) is type(expected)
    json.dumps(plain)


def test_what_holds_itself_ends():
    loop = {}
    loop["loop"] = loop
    json.dumps(plain_data(loop))


def test_parsed_arguments_are_a_config():
    arguments = argparse.Namespace(lr=0.1, device="cpu", sizes=[1, 2], data=Path("x"))
    expected = {"lr": 0.1, "device": "cpu", "sizes": [1, 2], "data": "x"}
    assert load({}, overrides={"config": arguments}).config == expected


def test_configs_merge_like_all_mappings(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("config: {lr: 0.1, net: {depth: 2, width: 8}}")
    merged = load(path, overrides={"config": {"lr": 0.2, "net": {"width": 16}}}).config
    assert merged == {"lr": 0.2, "net": {"depth": 2, "width": 16}}
