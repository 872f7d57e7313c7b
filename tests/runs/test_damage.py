"""Whatever happens to the files of a run, what is undamaged is read, and the damage is counted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexlogger.records import Datum, Definition, End, Event, Item, MeterDef, PlotDef, Record
from flexlogger.runs import tail as module
from flexlogger.runs.segment import SegmentReader, segments
from flexlogger.runs.tail import Tail
from tests.runs.writing import same, write_segment

LARGE = 600
"""Doubles of which 4 KB hold fewer: such a vector is a file of its own."""


def vector(name: str, seed: int, length: int) -> Datum:
    return Datum(name, "vector", np.random.default_rng(seed).normal(size=length))


VALUES = st.dictionaries(st.text(max_size=6), st.floats(), min_size=1, max_size=3)
DATA = st.builds(vector, st.text(max_size=6), st.integers(0, 2), st.sampled_from([0, 3, LARGE]))
TIME = st.floats(0, 2e9)
STEP = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
ITEMS = st.one_of(
    st.builds(Record, STEP, TIME, VALUES),
    st.builds(lambda step, time, datum: Record(step, time, {}, (datum,)), STEP, TIME, DATA),
    st.builds(lambda time: Definition(time, (PlotDef("p"),), (MeterDef("m", "LastValueMeter", "p"),)), TIME),
    st.builds(
        Event, TIME, st.sampled_from(["drops", "nonfinite"]), st.dictionaries(st.text(max_size=3), st.integers())
    ),
    st.builds(End, TIME, st.sampled_from(["finished", "crashed", "forked"])),
)

Damage = Callable[[bytes], bytes]


def cut(at: float) -> Damage:
    return lambda content: content[: int(at * len(content))]


def flip(at: float, bits: int) -> Damage:
    def damage(content: bytes) -> bytes:
        spot = int(at * len(content))
        return content[:spot] + bytes([content[spot] ^ bits]) + content[spot + 1 :] if content else content

    return damage


def insert(at: float, junk: bytes) -> Damage:
    return lambda content: content[: int(at * len(content))] + junk + content[int(at * len(content)) :]


def remove(at: float, share: float) -> Damage:
    return lambda content: content[: int(at * len(content))] + content[int((at + (1 - at) * share) * len(content)) :]


PLACE = st.floats(0, 1, exclude_max=True)
DAMAGES = st.one_of(
    st.builds(cut, PLACE),
    st.builds(flip, PLACE, st.integers(1, 255)),
    st.builds(insert, PLACE, st.binary(min_size=1, max_size=40)),
    st.builds(remove, PLACE, PLACE),
)


@given(
    runs=st.lists(st.lists(ITEMS, min_size=1, max_size=12), min_size=1, max_size=3),
    damages=st.lists(st.tuples(st.integers(0, 2), DAMAGES), max_size=3),
    chunk=st.sampled_from([300, 2000, 1 << 20]),
)
def test_everything_undamaged_is_read_and_the_damage_is_counted(
    tmp_path_factory: pytest.TempPathFactory,
    runs: list[list[Item]],
    damages: list[tuple[int, Damage]],
    chunk: int,
) -> None:
    folder = tmp_path_factory.mktemp("run")
    paths = [write_segment(folder, items, start=float(start)) for start, items in enumerate(runs)]
    written = [path.read_bytes().split(b"\n")[1:-1] for path in paths]
    for index, damage in damages:
        path = paths[index % len(paths)]
        path.write_bytes(damage(path.read_bytes()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "READ_BYTES", chunk)
        patch.setattr(module, "LEAST_BYTES", chunk)
        tail = Tail(folder, tell=lambda message: None)
        found = [item for batch in tail.read() for item in batch.items]

    expected, lost = [], 0
    for path, items, lines in zip(paths, runs, written, strict=True):
        intact = path.read_bytes().split(b"\n")[:-1]
        kept = [line in intact for line in lines]
        expected += [item for item, whole in zip(items, kept, strict=True) if whole]
        lost += kept[: len(kept) - kept[::-1].index(True)].count(False) if any(kept) else 0
    assert_same_items(found, expected)
    assert tail.damage.damaged + tail.damage.missing >= lost
    if not damages:
        assert not tail.damage


def assert_same_items(found: list[Item], expected: list[Item]) -> None:
    """The same items, each as often; the order of segments with odd times is not ours to tell."""
    left = list(expected)
    for item in found:
        del left[next(n for n, candidate in enumerate(left) if same(candidate, item))]
    assert left == []


@given(records=st.lists(st.builds(vector, st.just("v"), st.integers(0, 3), st.just(LARGE)), min_size=1, max_size=6))
@pytest.mark.parametrize("harm", ["missing", "changed", "cut", "folder gone"])
def test_values_whose_file_is_gone_or_changed_are_counted_and_the_others_read(
    tmp_path_factory: pytest.TempPathFactory, records: list[Datum], harm: str
) -> None:
    folder = tmp_path_factory.mktemp("run")
    items: list[Item] = [Record(step, 0.0, {}, (datum,)) for step, datum in enumerate(records)]
    write_segment(folder, [*items, Record(99, 1.0, {"a": 1.0})])
    blobs = sorted(path for path in (folder / "blobs").rglob("*") if path.is_file())
    spoil(blobs[0], harm)
    tail = Tail(folder, tell=lambda message: None)
    found = [item for batch in tail.read() for item in batch.items]
    hit = [n for n, datum in enumerate(records) if blobs[0].name == digest(datum)]
    assert_same_items(found, [item for n, item in enumerate(items) if n not in hit] + [Record(99, 1.0, {"a": 1.0})])
    assert tail.damage.blobs == len(hit) > 0


def digest(datum: Datum) -> str:
    assert isinstance(datum.value, np.ndarray)
    return hashlib.sha256(datum.value.tobytes()).hexdigest()


def spoil(path: Path, harm: str) -> None:
    if harm == "changed":
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif harm == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
        if harm == "folder gone":
            path.parent.rmdir()


def test_both_ways_of_reading_lines_agree(tmp_path: Path) -> None:
    """Lines are checked by the chunk where all are whole; one damaged line makes it line by line."""
    items: list[Item] = [Record(n, float(n), {"a": float("nan") if n % 3 else n / 7}) for n in range(50)]
    path = write_segment(tmp_path, items)
    fast = SegmentReader(path).read()
    path.write_bytes(path.read_bytes() + b"damaged\n")
    slow = SegmentReader(path).read()
    assert segments(tmp_path) == [path]
    assert all(same(a, b) and same(a, c) for a, b, c in zip(items, fast, slow, strict=True))
