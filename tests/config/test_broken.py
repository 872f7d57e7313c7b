"""Broken declarations, kept as data: each gives a ConfigError that points at the slip, and nothing of it is run."""

import bisect
import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from flexlogger.config.load import load
from flexlogger.errors import ConfigError

BROKEN = Path(__file__).parent / "broken"
MUTATED = [json.loads(line) for line in (BROKEN / "mutated.jsonl").read_text(encoding="utf-8").splitlines()]
TRAPS = yaml.safe_load((BROKEN / "traps.yaml").read_text(encoding="utf-8"))
SINISTER = (
    "subprocess.",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "os.spawn",
    "pty.",
    "socket.",
    "ctypes.",
)


class Guard:
    """Listens to what the interpreter does while it is on: audit hooks cannot be taken off again."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.on and (event in ("import", "exec", "compile") or event.startswith(SINISTER)):
            self.seen.append(f"{event} {arguments[:1]}")


GUARD = Guard()


@pytest.fixture
def guard() -> Iterator[Guard]:
    load("loss")
    with pytest.raises(ConfigError):  # whatever is loaded lazily is loaded now
        load({"plots": {"a": {}}, "meters": {"a": {"type": "Nothing"}}, "extends": "nothing"})
    GUARD.seen.clear()
    yield GUARD
    GUARD.on = False


def text_of(case):
    """The bytes of a case; long ones are made as they say."""
    if "make" not in case:
        return case["yaml"].encode()
    make = case["make"]
    if "bomb" in make:
        width = make["bomb"]
        lines = ["a0: &a0 [" + ",".join("x" * width) + "]"]
        lines += [f"a{i}: &a{i} [" + ",".join([f"*a{i - 1}"] * width) + "]" for i in range(1, make["levels"])]
        return "\n".join(lines).encode()
    return (make["text"] + make.get("repeat", "") * make.get("times", 0)).encode(make.get("encoding", "utf-8"))


@pytest.mark.parametrize("case", [*TRAPS, *MUTATED], ids=lambda case: case["id"])
def test_a_broken_declaration_is_refused_at_its_place_and_nothing_runs(case, guard, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("broken.yaml").write_bytes(text_of(case))
    guard.on = True
    with pytest.raises(ConfigError) as caught:
        load("broken.yaml")
    guard.on = False
    assert any(
        problem.place.file == "broken.yaml"
        and problem.place.line == case["line"]
        and case["path"] in ("*", problem.path)
        and case["words"] in problem.message
        for problem in caught.value.problems
    ), str(caught.value)[:2000]
    assert guard.seen == []
    assert [path.name for path in tmp_path.iterdir()] == ["broken.yaml"]


def test_one_slip_is_one_problem_as_a_rule(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    alone = 0
    for case in MUTATED:
        Path("broken.yaml").write_bytes(text_of(case))
        with pytest.raises(ConfigError) as caught:
            load("broken.yaml")
        alone += len(caught.value.problems) == 1
        assert len(caught.value.problems) <= 4
    assert alone >= 0.85 * len(MUTATED)


def test_there_are_three_hundred_and_no_two_alike():
    cases = [*TRAPS, *MUTATED]
    assert len(cases) >= 300
    assert len({case["id"] for case in cases}) == len(cases)
    assert len({text_of(case) for case in cases}) == len(cases)


def test_the_guard_hears_what_it_must(guard):
    guard.on = True
    compile("1", "<test>", "eval")
    with pytest.raises(ImportError):
        __import__("no_module_of_this_name")
    importlib.reload(bisect)
    subprocess.run([sys.executable, "-c", ""], check=True)
    guard.on = False
    heard = {event.split()[0] for event in guard.seen}
    assert heard >= {"compile", "import", "exec", "subprocess.Popen"}
