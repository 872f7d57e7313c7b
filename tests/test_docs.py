"""What the guides show works: configs pass the check, code runs on a real log, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flexlogger.config.load import load

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)


def test_the_whole_config_passes_the_check(tmp_path: Path) -> None:
    (text,) = blocks(ROOT / "docs" / "config.md", "yaml")
    path = tmp_path / "dashboard.yaml"
    path.write_text(text, encoding="utf-8")
    assert [plot.name for plot in load(path).plots] == ["loss", "acc", "confusion", "rate"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert not missing
