"""The guide's example runs as it stands, without a server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "artifacts.md"


def test_the_example_of_the_guide_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLEXLOGGER_PORT", "9")
    Path("iris.csv").write_text("5.1,setosa\n")
    Path("model_0.pth").write_bytes(b"weights")
    (code,) = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.S | re.M)
    namespace: dict[str, object] = {}
    exec(code, namespace)
    assert (Path(str(namespace["folder"])), namespace["path"]) == (
        Path("artifacts/iris/v0"),
        "artifacts/net/v0/model_0.pth",
    )
    assert (Path("artifacts/iris/v0") / "iris.csv").read_text() == "5.1,setosa\n"
    assert namespace["flowers"].get_column("kind") == ["setosa", "versicolor"]  # type: ignore[attr-defined]
