from __future__ import annotations

import copy
import pickle
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

import pytest
import torch

from flexlogger import UnknownNameError, ValueRefusedError
from flexlogger.tracking.config import Config


@pytest.fixture
def changes() -> list[Mapping[str, Any]]:
    return []


@pytest.fixture
def config(changes: list[Mapping[str, Any]]) -> Config:
    return Config({"lr": 0.1, "model": {"depth": 3, "head": {"bias": True}}}, changes.append)


def test_entries_are_attributes_and_items(config: Config) -> None:
    assert config.lr == config["lr"] == 0.1
    assert config.model.head["bias"] is True
    assert "lr" in config
    assert list(config) == ["lr", "model"]
    assert config.get("batch", 64) == 64
    assert {**config} == config.as_dict() == {"lr": 0.1, "model": {"depth": 3, "head": {"bias": True}}}
    assert config == {"lr": 0.1, "model": {"depth": 3, "head": {"bias": True}}}


def test_changes_are_recorded_by_top_level_name(config: Config, changes: list[Mapping[str, Any]]) -> None:
    config.lr = 0.2
    config["epochs"] = 3
    config.update({"a": 1, "b": 2}, allow_val_change=True)
    config.model.head.bias = False
    config.setdefault("lr", 9)
    assert changes == [
        {"lr": 0.2},
        {"epochs": 3},
        {"a": 1, "b": 2},
        {"model": {"depth": 3, "head": {"bias": False}}},
    ]
    assert config.model.head.bias is False


def test_parsed_arguments_are_taken(changes: list[Mapping[str, Any]]) -> None:
    config = Config(Namespace(lr=0.1, optimizer=Namespace(name="adam")), changes.append)
    assert config.optimizer.name == "adam"
    config.update(Namespace(lr=0.3))
    assert changes == [{"lr": 0.3}]


def test_what_is_stored_stays_what_it_is() -> None:
    device = torch.device("cpu")
    config = Config({"device": device, "names": {0: "cat", 1: "dog"}, "sizes": (8, 16)})
    assert config.device is device
    assert config.names[0] == "cat"
    assert config.sizes == (8, 16)


def test_a_name_that_is_not_there_comes_with_the_nearest(config: Config) -> None:
    with pytest.raises(UnknownNameError, match="config: unknown entry 'modle'; did you mean 'model'"):
        config["modle"]
    with pytest.raises(AttributeError, match="did you mean 'depth'"):
        _ = config.model.dept
    assert not hasattr(config, "batch")


def test_names_of_methods_are_entries_only_as_items(config: Config) -> None:
    config["update"] = 3
    assert config["update"] == 3
    with pytest.raises(ValueRefusedError, match=r"write config\['update'\]"):
        config.update = 3  # type: ignore[assignment, method-assign]


@pytest.mark.parametrize("wrong", [[("lr", 1)], "lr", {1: 2}])
def test_only_mappings_of_names_are_taken(config: Config, wrong: Any) -> None:
    with pytest.raises(ValueRefusedError, match="config: expected"):
        config.update(wrong)


def test_frozen_means_all_of_it(config: Config) -> None:
    config.freeze("the run is finished")
    for change in (lambda: config.update({"lr": 1}), lambda: setattr(config.model.head, "bias", 1)):
        with pytest.raises(ValueRefusedError, match="config: the run is finished"):
            change()
    assert config.lr == 0.1


def test_copies_are_detached_from_the_run(config: Config, changes: list[Mapping[str, Any]]) -> None:
    copies = [copy.copy(config), copy.deepcopy(config), pickle.loads(pickle.dumps(Config(config.as_dict())))]
    for other in copies:
        assert other == config
        other.lr = 5
    assert changes == []
    assert config.lr == 0.1


def test_what_holds_itself_is_refused_with_its_path(config: Config) -> None:
    cyclic: dict[str, Any] = {"x": 1, "rows": [[]]}
    cyclic["rows"][0].append(cyclic)
    for values in ({"c": cyclic}, cyclic, Namespace(c=cyclic)):
        with pytest.raises(ValueRefusedError, match=r"^config: [\w.]*rows\[0\]\[0\].*: a cycle$"):
            config.update(values)
    assert "c" not in config
    twice = {"a": 1}
    config.update({"one": twice, "other": [twice, twice]})
    assert config.other == [twice, twice]
