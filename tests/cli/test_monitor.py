"""`flexlogger monitor` and `flexlogger keys`: trainers that send, one that draws, strangers that are not let in."""

from __future__ import annotations

import contextlib
import signal
import socket
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import zmq

from flexlogger import FlexLogger
from flexlogger.cli import main
from flexlogger.mirror.protocol import Head, message
from flexlogger.net.keys import client_keys, make_keys
from flexlogger.server.process import ServerProcess
from tests.end_to_end.scripts import start
from tests.end_to_end.test_owners import eventually, series
from tests.end_to_end.windows import post
from tests.monitor.test_doors import DEALER_GREETING, READY
from tests.pipe.places import Monitor, Place
from tests.ports import free_port


def train(stat: FlexLogger, first: int, last: int) -> None:
    for step in range(first, last):
        stat.add(loss=float(step))
        stat.log(step)


TRAINER = """
import sys
from flexlogger import FlexLogger
with FlexLogger({"loss": {}}, env="shared", pipe=PIPE, dir=FOLDER, project="other") as stat:
    for step in range(100, 150):
        stat.add(loss=float(step))
        stat.log(step)
    assert stat.flush(60)
    print("drawn", flush=True)
    sys.stdin.readline()
"""


def test_two_trainers_in_one_environment_have_windows_of_their_own(place_of_monitor: Place, tmp_path: Path) -> None:
    place = place_of_monitor
    with FlexLogger({"loss": {}}, env="shared", **place.settings) as first:
        train(first, 0, 50)
        assert first.flush(60)
        script = f"PIPE = {place.settings['pipe']!r}\n{TRAINER}"
        with start(script, tmp_path / "second", stdin=subprocess.PIPE) as second:
            assert second.stdout is not None
            assert second.stdout.readline() == "drawn\n"
            train(first, 50, 60)
            assert first.flush(60)
            found = place.all_lines("shared")
            _, errors = second.communicate("\n", timeout=60)
        assert (second.returncode, errors) == (0, "")
    assert sorted(lines["loss"][0] for lines in found) == [(0, 0.0), (100, 100.0)]
    assert sorted(map(len, (lines["loss"] for lines in found))) == [50, 60]


@pytest.fixture
def place_of_monitor(server: ServerProcess, monitor: Monitor) -> Place:
    return Place("tcp", server, monitor)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_and_says_what_it_did(
    server: ServerProcess, tmp_path: Path, number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    env = f"ends-{number.name}"
    with Monitor(tmp_path / "there", "--server", "127.0.0.1", "--port", server.port) as monitor:
        stat = FlexLogger({"loss": {}}, env=env, run="r", pipe=monitor.where)
        train(stat, 0, 100)
        assert stat.flush(20)
        monitor.process.send_signal(number)
        said, errors = monitor.process.communicate(timeout=30)
        assert (monitor.process.returncode, errors) == (0, "")
        drawn, summed_up = said.splitlines()
        assert drawn == f"flexlogger monitor: default/r: {server.url.replace('localhost', '127.0.0.1')}/env/{env}"
        assert summed_up.startswith("flexlogger monitor: 1 run, ")
        stat.close()


def test_without_sinks_it_keeps_what_comes_and_draws_nothing(tmp_path: Path) -> None:
    with Monitor(tmp_path / "there", "--sinks", "none") as monitor:
        with FlexLogger({"loss": {}}, run="r", pipe=monitor.where) as stat:
            train(stat, 0, 100)
            assert stat.flush(20)
        code, said, errors = monitor.stop()
    assert (code, errors) == (0, "")
    assert said.startswith("flexlogger monitor: 1 run, ")
    here = next(stat.folder.glob("*.jsonl"))
    assert (tmp_path / "there" / "default" / "r" / here.name).read_bytes() == here.read_bytes()


# ---- who is let in


def _old(where: str, keys: tuple[Path, Path]) -> None:
    """A trainer whose flexlogger speaks another version."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as link:
        mine = client_keys(keys[1])
        link.linger = 0
        link.curve_publickey, link.curve_secretkey = mine.public.encode(), mine.secret.encode()
        link.curve_serverkey = mine.host_public.encode()
        link.connect(where)
        tag, *rest = message(b"Q", Head("p", "r"))
        link.send_multipart([bytes(tag[:3]) + b"\x09" + bytes(tag[4:]), *rest])
        assert link.poll(20_000)


def _said(raw: bytes) -> Callable[[str, tuple[Path, Path]], None]:
    def say(where: str, keys: tuple[Path, Path]) -> None:
        with socket.create_connection(("127.0.0.1", int(where.rpartition(":")[2])), timeout=10) as connection:
            connection.sendall(raw)
            connection.settimeout(0.3)
            with contextlib.suppress(TimeoutError, ConnectionError):
                while connection.recv(4096):
                    pass

    return say


def _stranger(where: str, keys: tuple[Path, Path]) -> None:
    """Somebody who knows the host's public key, and has no key that it knows."""
    other = make_keys(keys[0].with_name("other"))
    text = other[1].read_text().replace(client_keys(other[1]).host_public, client_keys(keys[1]).host_public)
    other[1].write_text(text)
    _log_once(where, str(other[1]))


def _bare(where: str, keys: tuple[Path, Path]) -> None:
    _log_once(where, None)


def _log_once(where: str, keys: str | None) -> None:
    with FlexLogger({"loss": {}}, pipe=where, **({"keys": keys} if keys else {})) as stat:
        train(stat, 0, 1)
        assert not stat.flush(1)


KEYED = [
    (_stranger, "its key is not known here"),
    (_bare, "without keys where keys are needed"),
    (_old, "a message of version 9; this is version 1"),
    (_said(b"GET / HTTP/1.1\r\nHost: dash.example\r\n\r\n"), "before it said anything whole"),
]
OPEN = [
    (_said(DEALER_GREETING + READY + b"\x02" + struct.pack(">Q", 2**32)), "one of over 64 MB"),
    (_said(DEALER_GREETING + READY + b"\x01\x06FLM\x01"), "half a message"),
]


@pytest.mark.parametrize(
    ("knock", "why", "keyed"),
    [(*each, True) for each in KEYED] + [(*each, False) for each in OPEN],
    ids=["another key", "no key", "an old version", "another protocol", "a frame of 4 GB", "half a frame"],
)
def test_a_stranger_is_one_line_and_disturbs_nobody(
    tmp_path: Path, knock: Callable[[str, tuple[Path, Path]], None], why: str, keyed: bool
) -> None:
    assert main(["keys", str(tmp_path / "lab")]) == 0
    keys = tmp_path / "lab.host.key", tmp_path / "lab.client.key"
    options = ["--keys", keys[0]] if keyed else []
    with Monitor(tmp_path / "there", "--sinks", "none", *options) as monitor:
        before = psutil.Process(monitor.process.pid).memory_info().rss
        for _ in range(2):
            if knock is not _stranger or not (tmp_path / "other.host.key").exists():
                knock(monitor.where, keys)
        with FlexLogger({"loss": {}}, run="r", pipe=monitor.where, **({"keys": str(keys[1])} if keyed else {})) as stat:
            train(stat, 0, 10)
            assert stat.flush(20)
        assert psutil.Process(monitor.process.pid).memory_info().rss - before < 64 * 2**20
        code, said, errors = monitor.stop()
    assert code == 0
    (line,) = errors.splitlines()
    assert line.startswith("flexlogger: monitor: ")
    assert why in line
    assert f"refused: {line.removeprefix('flexlogger: monitor: ')}" in said


# ---- what cannot be


def test_keys_are_two_files_and_say_who_gets_which(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", str(tmp_path / "lab")]) == 0
    host, client = capsys.readouterr().out.splitlines()
    assert host.startswith(f"{tmp_path}/lab.host.key  stays on the machine that listens")
    assert client.startswith(f"{tmp_path}/lab.client.key  goes to the trainers")
    assert main(["keys", str(tmp_path / "lab")]) == 1
    assert capsys.readouterr().err == (
        f"flexlogger keys: keys: {tmp_path}/lab.host.key is there already; choose another name or move it away\n"
    )


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--listen", "tcp://0.0.0.0:0"], "--listen: 0.0.0.0 can be reached from other machines, which needs keys"),
        (["--listen", "dash:5555"], "--listen: expected an address such as tcp://dash.example:5555, but got"),
        (["--keys", "{base}/lab.client.key"], "--keys: {base}/lab.client.key is a client's key file"),
        (["--keys", "{base}/none"], "--keys: {base}/none cannot be read"),
        (["--sinks", "vizdom"], "--sinks: unknown sink 'vizdom'; did you mean 'visdom'?"),
        (["--dir", "{base}/lab.host.key/runs"], "lab.host.key/runs: cannot be made (Not a directory)"),
        (["--listen", "tcp://127.0.0.1:{taken}"], "cannot listen on tcp://127.0.0.1:{taken}"),
    ],
)
def test_what_cannot_be_is_one_line(
    options: list[str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_keys(tmp_path / "lab")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = {"base": tmp_path, "taken": taken.getsockname()[1]}
        assert main(["monitor", *(option.format(**said) for option in options)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("flexlogger monitor: ")
    assert why.format(**said) in line


def test_a_monitor_that_is_back_draws_what_it_has_and_what_comes(server: ServerProcess, tmp_path: Path) -> None:
    """Killed and started again three times while a trainer logs: nothing lost, nothing twice, all of it in order."""
    options = ("--server", "127.0.0.1", "--port", server.port)
    monitor = Monitor(tmp_path / "there", *options, listen=f"tcp://127.0.0.1:{free_port()}")
    place = Place("tcp", server, monitor)
    with FlexLogger({"loss": {}}, env="back-again", run="r", **place.settings) as stat:
        for life in range(3):
            train(stat, 100 * life, 100 * life + 50)
            assert stat.flush(60)
            monitor.kill()
            train(stat, 100 * life + 50, 100 * life + 100)
            assert stat.flush(10, views=False)
            monitor = Monitor(tmp_path / "there", *options, listen=place.settings["pipe"])
        assert stat.flush(60)
        assert place.lines("back-again", "loss")["loss"] == series(0, 300)
        monitor.kill()
        post(server.url, "/delete_env", {"eid": "back-again"})
        monitor = Monitor(tmp_path / "there", *options, listen=place.settings["pipe"])
        eventually(lambda: stat.flush(5) and place.lines("back-again", "loss").get("loss"), series(0, 300))
        here = next(stat.folder.glob("*.jsonl"))
        eventually(lambda: (tmp_path / "there" / "default" / "r" / here.name).read_bytes(), here.read_bytes())
    assert monitor.stop()[0] == 0
