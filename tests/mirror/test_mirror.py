"""A run's folder kept equal elsewhere: over outages, kills and refusals, byte for byte."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from flexlogger.mirror import protocol
from flexlogger.mirror.protocol import Head, message
from flexlogger.mirror.receiver import Receiver
from flexlogger.mirror.sender import Sender
from flexlogger.net.keys import client_keys, host_keys, make_keys
from flexlogger.records import Datum, Item, Record
from flexlogger.runs.reader import RunReader
from flexlogger.runs.segment import SegmentWriter
from tests.monitor.watching import wait_for
from tests.ports import free_port


class Trainer:
    """Writes a run's log as a training process would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer = SegmentWriter(folder, folder.name)
        self.step = 0

    def log(self, count: int, *data: Datum) -> None:
        items: list[Item] = []
        for _ in range(count):
            items.append(Record(self.step, float(self.step), {"loss": 1 / (1 + self.step)}, data))
            self.step += 1
        self.writer.append(items)
        self.writer.commit()


@contextlib.contextmanager
def receiving(base: Path, port: int = 0, keys: Any = None) -> Iterator[Receiver]:
    receiver = Receiver(f"tcp://127.0.0.1:{port}", base, keys)
    try:
        yield receiver
    finally:
        receiver.stop()


@contextlib.contextmanager
def sending(folder: Path, where: str, keys: Any = None, **options: Any) -> Iterator[Sender]:
    sender = Sender(folder, folder.parent.name, folder.name, where, keys, **options)
    try:
        yield sender
    finally:
        sender.stop()
        sender.join()


def files_of(folder: Path) -> dict[str, bytes]:
    """Content by name; what a kill left unfinished (a temporary file) is nothing of the run."""
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".new-")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.fixture
def trainer(tmp_path: Path) -> Trainer:
    return Trainer(tmp_path / "here" / "project" / "run")


def test_what_grows_here_grows_there(trainer: Trainer, tmp_path: Path) -> None:
    picture = Datum("picture", "image", np.arange(64 * 64, dtype=np.uint8).reshape(64, 64))
    with receiving(tmp_path / "there") as receiver, sending(trainer.folder, receiver.endpoint) as sender:
        for _ in range(5):
            trainer.log(200)
            trainer.log(1, picture)
            assert sender.flush(20)
        (trainer.folder / "run.json").write_text("{}")
        there = tmp_path / "there" / "project" / "run"
        sender.wake()
        wait_for(lambda: (there / "run.json").exists(), "the card")
        assert receiver.runs == {there}
    assert files_of(there) == files_of(trainer.folder)
    assert RunReader(there).series("loss").steps.tolist() == list(range(1005))


def test_what_is_written_right_after_a_look_waits_for_no_later_one(
    trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether somebody waits for it or not; nothing but what is said here makes the sender look."""
    monkeypatch.setattr("flexlogger.mirror.sender.LOOK_S", 3600.0)
    monkeypatch.setattr("flexlogger.net.link.SILENCE_S", 3600.0)
    there = tmp_path / "there" / "project" / "run"
    with receiving(tmp_path / "there") as receiver, sending(trainer.folder, receiver.endpoint) as sender:
        for _ in range(50):
            trainer.log(1)
            assert sender.flush(20), "asked for"
        for _ in range(50):
            trainer.log(1)
            sender.wake()
        wait_for(lambda: files_of(there) == files_of(trainer.folder), "told of")


def test_a_sender_that_starts_late_sends_all_of_it(trainer: Trainer, tmp_path: Path) -> None:
    trainer.log(50_000)
    again = Trainer(trainer.folder)
    again.log(10)
    with receiving(tmp_path / "there") as receiver, sending(trainer.folder, receiver.endpoint) as sender:
        assert sender.flush(30)
        assert sender.behind == 0
    assert files_of(tmp_path / "there" / "project" / "run") == files_of(trainer.folder)


def test_a_receiver_that_is_away_misses_nothing(
    trainer: Trainer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    with sending(trainer.folder, f"tcp://127.0.0.1:{port}") as sender:
        for life in range(4):
            trainer.log(500)
            if life % 2 == 0:
                assert not sender.flush(0.1)
                continue
            with receiving(tmp_path / "there", port):
                assert sender.flush(30)
        wait_for(lambda: "nobody takes run logs" in caplog.text, "the warning")
    assert files_of(tmp_path / "there" / "project" / "run") == files_of(trainer.folder)


def test_an_outage_of_an_hour_is_one_line_and_costs_nothing(
    trainer: Trainer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The sender's clock runs ahead; the network is really gone, and really comes back."""
    now = [0.0]
    port = free_port()
    picture = Datum("picture", "image", np.arange(64 * 64, dtype=np.uint8).reshape(64, 64))
    with sending(trainer.folder, f"tcp://127.0.0.1:{port}", clock=lambda: now[0]) as sender:
        with receiving(tmp_path / "there", port):
            trainer.log(100)
            assert sender.flush(30)
        wait_for(lambda: not sender.connected, "the break")
        for _ in range(60):
            now[0] += 60
            trainer.log(100)
            trainer.log(1, picture)
            sender.wake()
        wait_for(lambda: "nobody takes run logs" in caplog.text, "the warning")
        assert sender.behind > 0
        with receiving(tmp_path / "there", port):
            assert sender.flush(30)
        assert (sender.outages, round(sender.away_s)) == (1, 3600)
    assert files_of(tmp_path / "there" / "project" / "run") == files_of(trainer.folder)
    assert [caplog.text.count(words) for words in ("nobody takes run logs", "connected to")] == [1, 1]


RECEIVE = """
    import sys, threading
    from pathlib import Path
    from flexlogger.mirror.receiver import Receiver
    receiver = Receiver(f"tcp://127.0.0.1:{sys.argv[1]}", Path(sys.argv[2]), None)
    threading.Event().wait()
"""


def receiver_process(port: int, base: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(RECEIVE), str(port), str(base)])


@pytest.mark.chaos
def test_a_receiver_killed_twenty_times(trainer: Trainer, tmp_path: Path) -> None:
    """Kills in the middle of writing: the copy is the same, byte for byte, whenever the last one lives long enough."""
    port = free_port()
    there = tmp_path / "there" / "project" / "run"
    with sending(trainer.folder, f"tcp://127.0.0.1:{port}") as sender:
        for _ in range(20):
            for _ in range(10):
                trainer.log(500, Datum("h", "vector", np.arange(1000, dtype=np.float64) + trainer.step))
            process = receiver_process(port, tmp_path / "there")
            before = sum(map(len, files_of(there).values()))
            wait_for(lambda before=before: sum(map(len, files_of(there).values())) > before, "anything")  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
            process.wait()
        process = receiver_process(port, tmp_path / "there")
        assert sender.flush(60)
        process.kill()
        process.wait()
    assert files_of(there) == files_of(trainer.folder)
    reader = RunReader(there)
    assert reader.series("loss").steps.tolist() == list(range(100_000))
    assert not reader.damage


def test_a_killed_trainers_rest_is_sent_by_another_process(tmp_path: Path) -> None:
    script = """
        import os, sys
        from pathlib import Path
        from tests.mirror.test_mirror import Trainer
        trainer = Trainer(Path(sys.argv[1]))
        trainer.log(1000)
        os.kill(os.getpid(), 9)
    """
    folder = tmp_path / "here" / "project" / "run"
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(folder)], timeout=60, check=False)
    with receiving(tmp_path / "there") as receiver, sending(folder, receiver.endpoint) as sender:
        assert sender.flush(20)
    assert RunReader(tmp_path / "there" / "project" / "run").series("loss").steps[-1] == 999


def test_with_keys_and_with_wrong_ones(trainer: Trainer, tmp_path: Path) -> None:
    mine, other = make_keys(tmp_path / "mine"), make_keys(tmp_path / "other")
    trainer.log(10)
    with receiving(tmp_path / "there", keys=host_keys(mine[0])) as receiver:
        with sending(trainer.folder, receiver.endpoint, client_keys(other[1])) as stranger:
            assert not stranger.flush(1)
        with sending(trainer.folder, receiver.endpoint) as bare:
            assert not bare.flush(0.5)
        with sending(trainer.folder, receiver.endpoint, client_keys(mine[1])) as sender:
            assert sender.flush(20)


# ---- what a receiver refuses


@contextlib.contextmanager
def raw(receiver: Receiver) -> Iterator[Callable[..., protocol.Head]]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as connection:
        connection.linger = 0
        connection.connect(receiver.endpoint)

        def ask(kind: bytes, head: Head, *frames: bytes) -> Head:
            connection.send_multipart(message(kind, head, frames))
            assert connection.poll(20_000)
            return protocol.parse(connection.recv_multipart()).head

        yield ask


SEGMENT = "host-1-2-ab"


@pytest.mark.parametrize(
    ("kind", "head", "content", "why"),
    [
        (protocol.SEGMENT, Head("..", "run", SEGMENT), b"x", "project: expected a name"),
        (protocol.SEGMENT, Head("p", "../../etc", SEGMENT), b"x", "run: expected a name"),
        (protocol.SEGMENT, Head("p", "", SEGMENT), b"x", "run: expected a name"),
        (protocol.SEGMENT, Head("p", ".hidden", SEGMENT), b"x", "run: expected a name"),
        (protocol.SEGMENT, Head("p", "r", "../x"), b"x", "segment: expected a name"),
        (protocol.SEGMENT, Head("p", "r", "a-1-2-b/../../c"), b"x", "segment: expected a name"),
        (protocol.BLOB, Head("p", "r", "../../../x", size=1), b"x", "blob: expected 64 hex digits"),
        (protocol.BLOB, Head("p", "r", "0" * 64, size=1), b"x", "does not match its digest"),
        (protocol.BLOB, Head("p", "r", "0" * 64, size=1), b"xy", "a part that ends at byte 2 of 1"),
        (protocol.HAVE, Head("p", "r"), b"x", "that only a receiver sends"),
    ],
)
def test_what_is_refused(tmp_path: Path, kind: bytes, head: Head, content: bytes, why: str) -> None:
    with receiving(tmp_path / "there") as receiver, raw(receiver) as ask:
        assert why in ask(kind, head, content).why
        assert len(receiver.refused) == 1
    assert files_of(tmp_path) == {}


def test_parts_twice_overlapping_or_with_a_gap(tmp_path: Path) -> None:
    with receiving(tmp_path / "there") as receiver, raw(receiver) as ask:
        for offset, content, size in (
            (0, b"abc", 3),
            (0, b"abc", 3),
            (2, b"cde", 5),
            (9, b"xyz", 5),
            (0, b"abcdefg", 7),
            (-3, b"abcdefghijkl", 7),
        ):
            head = Head("p", "r", SEGMENT, offset)
            assert ask(protocol.SEGMENT, head, content).size == size
        assert ask(protocol.ASK, Head("p", "r", sizes={SEGMENT: 0, "h-1-2-c": 0})).sizes == {SEGMENT: 7, "h-1-2-c": 0}
    assert (tmp_path / "there" / "p" / "r" / f"{SEGMENT}.jsonl").read_bytes() == b"abcdefg"


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere; the disk's refusal is simulated below")
def test_a_folder_that_cannot_be_written(trainer: Trainer, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(mode=0o500)
    trainer.log(1)
    with receiving(tmp_path / "there") as receiver, sending(trainer.folder, receiver.endpoint) as sender:
        wait_for(lambda: "cannot write below" in sender.refusal, "the refusal")


def test_a_disk_that_refuses_is_told_once_and_tried_again(
    trainer: Trainer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file lies where the run's folder has to be, until it is taken away."""
    blocking = tmp_path / "there" / "project"
    blocking.parent.mkdir()
    blocking.write_text("in the way")
    trainer.log(100, Datum("h", "vector", np.arange(1000, dtype=np.float64)))
    with receiving(tmp_path / "there") as receiver, sending(trainer.folder, receiver.endpoint) as sender:
        wait_for(lambda: "cannot write below" in sender.refusal, "the refusal")
        assert not sender.flush(0.1)
        blocking.unlink()
        assert sender.flush(20)
        wait_for(lambda: not sender.refusal, "all well")
    assert files_of(tmp_path / "there" / "project" / "run") == files_of(trainer.folder)
    assert caplog.text.count("does not take the run log") == 1


def test_a_segment_begun_again_is_told_and_not_mixed_in(
    trainer: Trainer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer.log(100)
    with receiving(tmp_path / "there") as receiver, sending(trainer.folder, receiver.endpoint) as sender:
        assert sender.flush(20)
        before = trainer.writer.path.read_bytes()
        trainer.writer.path.write_bytes(before[:500])
        sender.wake()
        wait_for(lambda: "was deleted and begun again" in caplog.text, "the warning")
        trainer.writer.path.write_bytes(b"x" * 2 * len(before))
        sender.wake()
        assert not sender.flush(0.5)
    assert (tmp_path / "there" / "project" / "run" / trainer.writer.path.name).read_bytes() == before
