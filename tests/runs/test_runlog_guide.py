"""The ways of reading a run that the guide shows, tried on one."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from flexlogger.records import Definition, End, Event, Item, PlotDef, Record
from flexlogger.runs.card import Card, write_card
from flexlogger.runs.format import Resume
from tests.runs.writing import write_segment

GUIDE = Path(__file__).parents[2] / "docs" / "runlog.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.S | re.M)


PYTHON, WITH_FLEXLOGGER, WITH_PANDAS = blocks("python")


def loss(step: int, value: float, time: float) -> Item:
    return Record(step, time, {"train_loss": value, "lr": 0.1})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run that was taken up again at step 2, on two ranks."""
    folder = tmp_path / "runs" / "project" / "r"
    opening: list[Item] = [Event(0.0, "run", {"id": "r"}), Definition(0.0, (PlotDef("loss"),), ())]
    first = [loss(step, value, 1.0 + step) for step, value in enumerate([4.0, math.nan, 2.0, 1.0])]
    write_segment(folder, [*opening, *first, Record(9, 9.0, {"other": 1.0}), End(9.0)], start=0.0)
    again = [loss(2, 0.5, 12.0), loss(3, math.inf, 13.0)]
    write_segment(folder, [*again, End(14.0)], start=10.0, resume=Resume(2, 10.0))
    write_segment(folder, [loss(0, 99.0, 1.0)], start=0.5, rank=1)
    write_card(folder, Card(id="r", status="finished", config={"lr": 0.1}))
    return folder


@pytest.fixture
def path(folder: Path) -> Path:
    """Its first segment, with a damaged line."""
    path = next(path for path in folder.glob("*.jsonl") if b'"v":{"train_loss":4.0' in path.read_bytes())
    path.write_bytes(path.read_bytes().replace(b'"v":{"train_loss":2.0', b'"v":{"train_loss":7.0'))
    return path


WHOLE = {0: 4.0, 1: math.nan, 2: 0.5, 3: math.inf}


def run(code: str, **names: Any) -> dict[str, Any]:
    namespace: dict[str, Any] = dict(names)
    exec(code, namespace)
    return namespace


def alike(found: dict[int, float], expected: dict[int, float]) -> bool:
    return found.keys() == expected.keys() and repr(dict(sorted(found.items()))) == repr(expected)


def test_in_python_with_its_standard_library(folder: Path, path: Path) -> None:
    assert alike(run(PYTHON, FOLDER=folder)["losses"], WHOLE)
    assert len([line for line in PYTHON.splitlines() if line.strip()]) <= 20


def test_with_flexloggers_reader(folder: Path, path: Path) -> None:
    told = run(WITH_FLEXLOGGER, FOLDER=folder)
    assert alike({int(step): float(value) for step, value in told["losses"].items()}, WHOLE)
    assert str(told["run"].damage) == "1 damaged"


def test_with_pandas(folder: Path) -> None:
    pytest.importorskip("pandas")
    (path,) = (path for path in folder.glob("*.jsonl") if b'"train_loss":4.0' in path.read_bytes())
    assert run(WITH_PANDAS, PATH=path)["losses"] == {0: 4.0, 2: 2.0, 3: 1.0}


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_in_a_shell(folder: Path) -> None:
    (code,) = blocks("sh")
    column, lowest, runs = (shell(line, folder) for line in code.splitlines())
    assert sorted(column.splitlines()) == ["0\t4", "0\t99", "1\tNaN", "2\t0.5", "2\t2", "3\t1", "3\tInfinity"]
    assert lowest == "0.5\n"
    assert runs == "r\tfinished\t0.1\n"


def shell(line: str, folder: Path) -> str:
    return subprocess.run(
        ["sh", "-c", line], env={"FOLDER": str(folder), "PATH": str(Path(shutil.which("jq") or "").parent)},
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_in_javascript(path: Path) -> None:
    (code,) = blocks("js")
    if "function" not in node("console.log(typeof require('zlib').crc32)"):
        pytest.skip("this node has no zlib.crc32")
    told = node(f"const PATH = {json.dumps(str(path))};\n{code}\nconsole.log(JSON.stringify(losses))")
    assert json.loads(told) == [[0, 4.0], [1, None], [3, 1.0]]


def node(code: str) -> str:
    return subprocess.run(["node", "-e", code], check=True, capture_output=True, text=True).stdout
