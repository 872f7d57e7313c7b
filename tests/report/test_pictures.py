"""`flexlogger report --png` makes a picture of each window. Apart, since playwright runs once a process at a time."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from flexlogger.cli import main
from flexlogger.report.pictures import BROWSERS, slug
from tests.plots import gallery
from tests.report.runs import ink, run


@pytest.mark.skipif(
    not any(map(shutil.which, BROWSERS)) and os.environ.get("FLEXLOGGER_REQUIRE_BROWSER") != "1",
    reason="chromium is not installed",
)
def test_a_picture_of_each_window(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, "gallery", gallery.items())
    command = ["report", "gallery", "--dir", str(tmp_path), "-o", str(tmp_path / "report.html")]
    assert main([*command, "--png", str(tmp_path / "png")]) == 0
    assert f"{len(gallery.PLOTS)} pictures in" in capsys.readouterr().out
    files = sorted((tmp_path / "png").iterdir())
    names = [f"{number:02}-{slug(plot.name)}.png" for number, plot in enumerate(gallery.PLOTS, 1)]
    assert [file.name for file in files] == names
    assert min(ink(file.read_bytes()) for file in files) > 0.003
