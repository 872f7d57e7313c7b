"""What the guide and the example show, as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from flexlogger.config.load import load

GUIDE = Path(__file__).parents[2] / "docs" / "inspector.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.S | re.M)


def test_the_code_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec("\n".join(blocks("python")), names)
    assert names["complete"]
    assert names["names"] == ["0", "1", "2"]
    keys = [("model", 0), ("first_", 1), ("last_", 1)]
    expected = {f"{key}.{source}_{number}_0.mp4" for key, number in keys for source in ("outputs", "grad_out")}
    assert {path.name for path in Path("output").iterdir()} == expected
    assert re.fullmatch(r"last step 0 [\d.]+ epoch 1\n", Path("largest.txt").read_text())


def test_the_config_passes_the_check(tmp_path: Path) -> None:
    (text,) = blocks("yaml")
    path = tmp_path / "dashboard.yaml"
    path.write_text(text, encoding="utf-8")
    assert load(path).inspect["frequency"] == 100
