"""Which layers are chosen, and what they are called."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from flexlogger.model.layers import Choice, measured, select_layers, unwrapped


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)))
        self.head = nn.Linear(4, 2)
        self.scale = nn.Parameter(torch.ones(1))
        self.twin = self.encoder[0]


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (None, ["Net", "encoder.0", "encoder.1", "encoder.2.0", "encoder.2.1", "head"]),
        ("encoder.*", ["encoder.0", "encoder.1", "encoder.2", "encoder.2.0", "encoder.2.1"]),
        ("head", ["head"]),
        ("twin", ["encoder.0"]),
        (r"re:encoder\.\d", ["encoder.0", "encoder.1", "encoder.2"]),
        ("type:Linear", ["encoder.0", "encoder.2.0", "head"]),
        (nn.Linear, ["encoder.0", "encoder.2.0", "head"]),
        ([nn.BatchNorm1d, "head"], ["encoder.2.1", "head"]),
        (lambda name, module: getattr(module, "out_features", 0) == 2, ["head"]),
    ],
)
def test_layers_are_chosen_by_glob_expression_type_and_function(choice: Choice, names: list[str]) -> None:
    assert [layer.name for layer in select_layers(Net(), choice)] == names


def test_a_module_with_two_names_is_one_layer_that_knows_both() -> None:
    layer = select_layers(Net())[1]
    assert (layer.name, layer.aliases) == ("encoder.0", ("twin",))


def test_the_weight_stands_in_the_layers_row_other_parameters_in_their_own() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.LSTM(2, 3), parametrizations.weight_norm(nn.Linear(2, 2)))
    rows = [row for layer in select_layers(model) for row, _, _ in layer.parameters]
    assert rows[:3] == ["0", "1.weight_ih_l0", "1.weight_hh_l0"]
    assert any(row.startswith("2.parametrizations.weight.original") for row in rows)
    with_biases = [row for layer in select_layers(model, biases=True) for row, _, _ in layer.parameters]
    assert {"0.bias", "1.bias_ih_l0", "2.bias"} <= set(with_biases)


def test_wrappers_leave_no_trace_in_names() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 1)))
    model[1][0] = torch.compile(model[1][0], backend="eager")
    wrapped = nn.DataParallel(torch.compile(model, backend="eager"))
    assert unwrapped(wrapped) is model
    assert [layer.name for layer in select_layers(wrapped)] == ["0", "1.0"]


def test_whole_numbers_are_measured_where_there_is_nothing_else() -> None:
    tokens, mask, values = torch.tensor([1, 2]), torch.tensor([True]), torch.tensor([0.5])
    assert measured((tokens,)) == [tokens]
    assert [t is values for t in measured(({"a": (tokens, [values])}, mask))] == [True]
    assert measured((mask, "text", None)) == []
