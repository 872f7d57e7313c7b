"""What the further plot types cannot draw is told in their window; what would break the page never reaches it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flexlogger import FlexLogger
from flexlogger.errors import ConfigError, ValueRefusedError
from flexlogger.meters.last import LastValueMeter
from flexlogger.plots.board import Board
from flexlogger.records import Datum, Definition, Kind, MeterDef, Output, PlotDef, Record
from tests.plots.panels import panel_of


@pytest.mark.parametrize(
    ("plot", "kind", "values", "told"),
    [
        ("pie", "vector", {"": np.array([1.0, -1.0])}, "is below 0"),
        ("quiver", "matrix", {"": np.zeros((2, 2))}, "a mapping of matrices u and v"),
        ("quiver", "matrix", {".u": np.zeros((2, 2)), ".v": np.zeros((2, 3))}, "u and v of one shape"),
        ("mesh", "matrix", {"": np.zeros((2, 2))}, "vertices (N, 3)"),
        ("mesh", "matrix", {".vertices": np.zeros((3, 3)), ".faces": np.array([[0, 1, 3]])}, "vertices 0 to 2, got 3"),
        ("audio", "matrix", {"": np.zeros((9, 3))}, "(N, 2) for stereo, got shape (9, 3)"),
        ("audio", "audio", {"": "data:audio/wav;base64,&quot;&gt;"}, "the data URI of audio"),
        ("video", "video", {"": 'data:video/mp4;base64,"><script>'}, "the data URI of video"),
        ("svg", "text", {"": "no drawing"}, "expected a drawing"),
        ("svg", "text", {"": "<svg><g></svg>"}, "well-formed SVG"),
        ("properties", "table", {"": json.dumps({"columns": ["a"], "rows": []})}, "columns name and value, got a"),
        ("embeddings", "matrix", {"": np.zeros((4, 1))}, "features (N, D), got shape (4, 1)"),
        ("network", "matrix", {"": np.array([[0.5, 1.0]])}, "nodes counted from 0"),
        ("network", "table", {"": json.dumps({"columns": ["from"], "rows": []})}, "columns source and target"),
        ("network", "matrix", {"": np.array([[0, 5000]])}, "at most 2,000 nodes"),
    ],
)
def test_what_cannot_be_drawn_is_told(plot: str, kind: Kind, values: dict[str, Any], told: str) -> None:
    board = Board()
    meter = MeterDef("m", "M", "p", tuple(Output(suffix, kind) for suffix in values))
    data = tuple(Datum(f"m{suffix}", kind, value) for suffix, value in values.items())
    board.write([Definition(0.0, (PlotDef("p", plot),), (meter,)), Record(0, 0.0, {}, data)])
    content = board.panel("p").data[0]["content"]
    assert "cannot be drawn" in content
    assert "<script>" not in content
    (note,) = board.notes
    assert told in note


def test_a_form_has_only_what_the_page_knows() -> None:
    rows = [["a", 1, "slider", None], ["b", 7, "select", ["x"]], ["c", None, "select", None], ["d", "y", "checkbox", 0]]
    table = json.dumps({"columns": ["name", "value", "type", "values"], "rows": rows})
    content = panel_of("properties", value=table).data[0]["content"]
    assert content == [
        {"name": "a", "type": "number", "value": "1"},
        {"name": "b", "type": "select", "value": 0, "values": ["x"]},
        {"name": "c", "type": "select", "value": 0, "values": ["None"]},
        {"name": "d", "type": "checkbox", "value": True},
    ]


def test_a_slip_in_an_option_is_told() -> None:
    with pytest.raises(ConfigError, match="did you mean 'arrowheads'"):
        FlexLogger({"p": {"type": "quiver", "opts": {"arrowhead": True}}}, sinks=[], runlog=False)
    with pytest.raises(ConfigError, match="did you mean 'boxplot'"):
        FlexLogger({"p": {"type": "boxplt"}}, sinks=[], runlog=False)


class TestFiles:
    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ValueRefusedError, match="No such file"):
            LastValueMeter().add(tmp_path / "clip.mp4")

    def test_a_file_of_an_unknown_suffix(self, tmp_path: Path) -> None:
        with pytest.raises(ValueRefusedError, match=r"\.mp4, \.webm, .* but got 'clip.avi'"):
            LastValueMeter().add(tmp_path / "clip.avi")

    def test_a_path_as_text_where_the_kind_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "a.wav").write_bytes(b"RIFF")
        meter = LastValueMeter(kind="audio")
        meter.add(str(tmp_path / "a.wav"))
        assert meter.value() == "data:audio/wav;base64,UklGRg=="
        with pytest.raises(ValueRefusedError, match=r"a file of \.wav"):
            meter.add(tmp_path / "a.mp4")
        with pytest.raises(ValueRefusedError, match="Expected a sound"):
            meter.add([1.0, 2.0])
