"""The benchmark for accelerators runs where there is one; here on the CPU, and without one it says so."""

from __future__ import annotations

import pytest

from bench import accelerator
from bench.session import Session


def test_it_measures_both_rhythms_on_a_device() -> None:
    with Session(quick=True, tell=lambda text: None) as session:
        result = accelerator.measured(session, "mlp100", "cpu")
    assert [row[0] for row in result.tables[0].rows] == list(accelerator.EVERY)
    assert [target.measured for target in result.targets[::2]] == ["0", "0"]


@pytest.mark.skipif(accelerator.at_hand(), reason="says what a machine without a GPU is told")
def test_without_a_gpu_nothing_is_claimed() -> None:
    with Session(quick=True, tell=lambda text: None) as session:
        result = accelerator.run(session)
    assert "not measured" in result.how
    assert {target.reached for target in result.targets} == {None}
