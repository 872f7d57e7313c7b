"""What docs/model.md shows works."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import torch

from flexlogger.config.load import load
from tests.test_docs import ROOT, blocks

GUIDE = ROOT / "docs" / "model.md"


def test_the_code_runs_as_it_is_shown(tmp_path: Path) -> None:
    torch.manual_seed(0)
    namespace: dict[str, object] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in blocks(GUIDE, "python"):
            exec(block, namespace)
    shown = [line.strip() for line in GUIDE.read_text(encoding="utf-8").splitlines() if line.startswith("    +")]
    assert printed.getvalue().splitlines()[0] == shown[0]
    assert isinstance(namespace["mean"], float)


def test_the_config_passes_the_check(tmp_path: Path) -> None:
    path = tmp_path / "dashboard.yaml"
    path.write_text(blocks(GUIDE, "yaml")[0], encoding="utf-8")
    assert load(path).model["sources"] == {"grads": ["norm", "mean"], "outputs": ["mean", "zero_fraction"]}
