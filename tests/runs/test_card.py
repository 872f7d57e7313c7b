from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import msgspec
import pytest

from flexlogger.runs.card import FILE, Card, read_card, status_of, write_card
from flexlogger.runs.processes import this_process


def test_a_card_comes_back_as_it_was(tmp_path: Path) -> None:
    card = Card(
        id="a", tags=["x"], config={"net": {"width": 3}}, summary={"loss": {"min": 0.1}}, end=3.0, last_step=1.5
    )
    write_card(tmp_path, card)
    assert read_card(tmp_path) == card


def test_numbers_that_json_does_not_know_are_the_strings_of_the_log(tmp_path: Path) -> None:
    write_card(tmp_path, Card(config={"a": float("inf")}, summary={"b": {"last": float("nan")}}))
    told = json.loads((tmp_path / FILE).read_text(), parse_constant=pytest.fail)
    assert (told["config"], told["summary"]) == ({"a": "Infinity"}, {"b": {"last": "NaN"}})


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"id": 7}', b"\xff"])
def test_a_card_that_is_missing_or_damaged_is_none(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    assert read_card(tmp_path) is None


def test_a_card_of_a_later_version_is_read_as_far_as_it_is_known(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"flexlogger": 2, "id": "a", "colour": "red"}')
    card = read_card(tmp_path)
    assert card is not None
    assert (card.flexlogger, card.id) == (2, "a")


def test_readers_never_see_half_a_card(tmp_path: Path) -> None:
    write_card(tmp_path, Card(id="0"))
    done = threading.Event()

    def write() -> None:
        for n in range(300):
            write_card(tmp_path, Card(id=str(n), config={"filler": "x" * (n * 37 % 9000)}))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert read_card(tmp_path) is not None
    writer.join()
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o644


def test_a_folder_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_card(tmp_path / "absent", Card())


def test_how_a_run_is_doing() -> None:
    me = this_process()
    here = {"host": me.host, "boot": me.boot, "pid": os.getpid(), "pid_start": me.pid_start}
    alive = Card(beat=100.0, **here)
    assert status_of(alive, 109.0) == "running"
    assert status_of(alive, 111.0) == "crashed"
    assert status_of(msgspec.structs.replace(alive, pid_start="1"), 101.0) == "crashed"
    assert status_of(msgspec.structs.replace(alive, pid_start="1", host="far"), 101.0) == "running"
    assert status_of(Card(status="finished"), 1e9) == "finished"
    assert status_of(Card(status="crashed"), 0.0) == "crashed"
