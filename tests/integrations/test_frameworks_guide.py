"""What docs/frameworks.md shows works, block by block, without a server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "frameworks.md"
BLOCKS = re.findall(r"^## (.*?)\n.*?^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.S | re.M)


@pytest.mark.filterwarnings("ignore")  # the frameworks' own
@pytest.mark.parametrize("code", [code for _, code in BLOCKS], ids=[name for name, _ in BLOCKS])
def test_the_block_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLEXLOGGER_PORT", "9")
    exec(compile(code, str(GUIDE), "exec"), {"__name__": "guide"})
