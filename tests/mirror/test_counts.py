"""What the tcp pipe does for its records, by counting: messages, bytes read, lines encoded, threads woken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flexlogger import FlexLogger
from flexlogger.mirror import protocol
from flexlogger.mirror.parts import Parts
from flexlogger.mirror.receiver import Receiver
from flexlogger.mirror.sender import Sender
from flexlogger.net.bell import Bell
from flexlogger.runs import format as lines
from flexlogger.runs.segment import segments

RECORDS = 10_000
NAMES = tuple(f"scalar_{i}" for i in range(5))


class Counts:
    """Calls of functions, with what each returned."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def of(self, owner: Any, name: str) -> list[tuple[tuple[Any, ...], Any]]:
        """Arguments and result of each call from now on."""
        calls: list[tuple[tuple[Any, ...], Any]] = []
        function = getattr(owner, name)

        def counted(*args: Any, **named: Any) -> Any:
            result = function(*args, **named)
            calls.append((args, result))
            return result

        self._patch.setattr(owner, name, counted)
        return calls


def test_ten_thousand_records_are_encoded_once_read_once_and_sent_in_a_few_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flexlogger.mirror.sender.LOOKS_S", 3600.0)  # only who waits makes it look
    counts = Counts(monkeypatch)
    said, looked, read = (counts.of(*what) for what in ((Sender, "_say"), (Parts, "look"), (Parts, "_read")))
    together, alone = (counts.of(lines, name) for name in ("encode_records", "encode_values"))
    rung, woken = counts.of(Bell, "ring"), counts.of(Sender, "wake")
    receiver = Receiver("tcp://127.0.0.1:0", tmp_path / "there", None)
    meters = {name: {"type": "LastValueMeter", "target": "scalars"} for name in NAMES}
    with FlexLogger({"scalars": {}}, meters, dir=tmp_path / "here", pipe=receiver.endpoint) as stat:
        for step in range(RECORDS):
            stat.add(dict.fromkeys(NAMES, step / 7))
            stat.log(step)
        assert stat.flush(30)
        [segment] = segments(stat.folder)
    receiver.stop()
    size = segment.stat().st_size
    assert sum(len(args[1]) for args, encoded in together if encoded is not None) + len(alone) == RECORDS
    assert sum(len(content) for _, (content, _) in read) == size
    parts = [args for args, _ in said if args[2] == protocol.SEGMENT]
    assert len(parts) <= 20
    assert len(looked) <= 5  # connected, written, flushed, closed
    assert len(woken) >= RECORDS // 1024
    assert len(rung) <= 8
