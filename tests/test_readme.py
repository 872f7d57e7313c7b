"""Every block of the README runs as it stands, one after the other, as a reader would run them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flexlogger.cli import main
from flexlogger.server.process import ServerProcess

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README.read_text(encoding="utf-8"), re.S | re.M)


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


def test_the_blocks_run(
    server: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLEXLOGGER_PORT", str(server.port))
    (config,) = blocks("yaml")
    Path("dashboard.yaml").write_text(config, encoding="utf-8")
    namespace: dict[str, object] = {"__name__": "readme"}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), namespace)
    assert f":{server.port}/env/first" in capsys.readouterr().out
    assert main(["check", "dashboard.yaml"]) == 0


def test_the_refused_config_is_refused_with_the_words_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (config,) = blocks("yaml")
    Path("dashboard.yaml").write_text(config.replace("ConfusionMeter", "ConfMeter"), encoding="utf-8")
    (shown,) = [block for block in blocks("console") if "flexlogger check" in block]
    assert main(["check", "dashboard.yaml"]) == 1
    assert capsys.readouterr().out.strip() == shown.splitlines()[1].strip()


def test_the_quick_start_is_about_twenty_lines() -> None:
    assert len(blocks("python")[0].strip().splitlines()) <= 22
