from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from flexlogger import ValueRefusedError
from flexlogger.steps import checked_step


@pytest.mark.parametrize("step", [True, math.nan, math.inf, "3", [1], torch.tensor(1), 10**400, -(2**63) - 1])
def test_a_step_that_is_no_finite_number_is_refused(step: object) -> None:
    with pytest.raises(ValueRefusedError, match="log: step: expected a finite int or float"):
        checked_step(step)


@pytest.mark.parametrize("step", [3, -1, 2**63 - 1, 0.5, np.int64(3), np.int32(3), np.float64(0.5)])
def test_a_number_is_a_step_of_a_plain_type(step: int | float) -> None:
    checked = checked_step(step)
    assert checked == step
    assert type(checked) in (int, float)
