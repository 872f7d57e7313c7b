"""What the guide shows, as it stands: two processes in Python, and a host in JavaScript."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from flexlogger.monitor import codec, protocol
from flexlogger.monitor.state_monitor import StateMonitor
from tests.ports import free_port

GUIDE = (Path(__file__).parents[2] / "docs" / "statemonitor.md").read_text(encoding="utf-8")
PACKAGES = ("zeromq@6.8.0", "@msgpack/msgpack@3.1.3")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.S | re.M)
    return str(found)


def rows(kind: str) -> set[str]:
    return set(re.findall(rf"^\| `?({kind})`? \|", GUIDE, re.M))


@contextmanager
def running(*command: str | Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_two_ends_run_as_they_stand() -> None:
    port = str(free_port())
    sources = [block(f"python {end}").replace("10086", port) for end in ("host", "client")]
    with (
        running(sys.executable, "-c", sources[0]) as host,
        running(sys.executable, "-c", sources[1] + "assert complete") as client,
    ):
        said, complained = client.communicate(timeout=60)
        assert client.returncode == 0, complained
        said, complained = host.communicate(timeout=60)
        assert host.returncode == 0, complained
    assert re.fullmatch(r"(\d [\d.e-]+ \(8, 2\)\n){3}", said)


def test_every_kind_of_message_and_of_value_is_described() -> None:
    assert rows("[A-Z]") == {kind.decode() for kind in protocol.KINDS}
    assert {int(number) for number in rows("[0-9]")} == set(codec.EXTENSIONS)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The host in JavaScript, beside the packages that it needs."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm")
    folder = tmp_path_factory.mktemp("node")
    install = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), *PACKAGES]
    if subprocess.run(install, capture_output=True, timeout=300, check=False).returncode:
        pytest.skip(f"npm cannot get {' and '.join(PACKAGES)}")
    script = folder / "reader.mjs"
    script.write_text(block("javascript"))
    return script


def test_the_reader_in_another_language_reads(reader: Path) -> None:
    port = free_port()
    with running("node", reader, str(port)) as host:
        with StateMonitor("client", port=port) as client:
            for epoch in range(100):
                client.put({"epoch": epoch})
            client.put({"last": "naïve", "a": np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::-1], "nothing": None})
            assert client.end(timeout=30)
        assert client.status()["acknowledged"] == 101
        assert host.stdout is not None
        lines = [host.stdout.readline() for _ in range(105)]
    assert lines[:100] == [f"{{ epoch: {epoch} }}\n" for epoch in range(100)]
    assert "last: 'naïve'" in lines[101]
    assert "Float32Array(6) [ 2, 1, 0, 5, 4, 3 ]" in lines[102]


def test_the_reader_goes_on_after_a_break(reader: Path) -> None:
    """Killed and started again, it is given what it had not acknowledged."""
    port, lines = free_port(), []
    with StateMonitor("client", port=port) as client:
        for life in range(3):
            client.put({"life": life})
            with running("node", reader, str(port)) as host:
                assert client.flush(timeout=30)
                assert host.stdout is not None
                lines.append(host.stdout.readline())
    assert lines == [f"{{ life: {life} }}\n" for life in range(3)]
