"""What the guides show works: configs pass the check, code runs on a real log, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flexlogger import FlexLogger
from flexlogger.config.load import load
from flexlogger.server.process import ServerProcess

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)


def test_the_whole_config_passes_the_check(tmp_path: Path) -> None:
    (text,) = blocks(ROOT / "docs" / "config.md", "yaml")
    path = tmp_path / "dashboard.yaml"
    path.write_text(text, encoding="utf-8")
    assert [plot.name for plot in load(path).plots] == ["loss", "acc", "confusion", "rate"]


def test_the_log_reader_that_is_shown_reads_a_log() -> None:
    with FlexLogger({"loss": {}}, {"train_loss": {"type": "AverageValueMeter", "target": "loss"}}, sinks=[]) as stat:
        for n in range(3):
            stat.add(train_loss=float("nan") if n == 1 else n / 2)
            stat.log(n)
    (code,) = blocks(ROOT / "docs" / "runlog.md", "python")
    namespace: dict[str, object] = {"FOLDER": stat.folder}
    exec(code, namespace)
    assert str(namespace["losses"]) == "[(0, 0.0), (1, nan), (2, 1.0)]"


def test_the_scripts_of_the_run_api_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: ServerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLEXLOGGER_PORT", str(server.port))
    for code in blocks(ROOT / "docs" / "runs.md", "python"):
        exec(code, {})
    url, entries, table = capsys.readouterr().out.splitlines()
    assert url.startswith(f"http://localhost:{server.port}/env/")
    assert entries == "{'min': 0.3333333333333333, 'last': 0.3333333333333333} {'best': 0.5}"
    assert table == "Table(2 rows of word, n)"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert not missing
