"""A dashboard server as a child process: for tests, the demo, notebooks and scripts that bring their own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

from flexlogger.errors import ServerError
from flexlogger.server.address import Serving


class ServerProcess:
    """A running server. Leaving the ``with`` block stops it, and so does the end of this process, whatever ends it."""

    def __init__(self, process: subprocess.Popen[bytes], serving: Serving, errors: IO[bytes]) -> None:
        self._process = process
        self._errors = errors
        self.url = serving.url
        self.port = serving.port
        self.pid = serving.pid
        self.env_path = Path(serving.env_path)

    def stop(self, timeout: float = 10.0) -> int:
        """Ask it to save and end; return its exit status. Raises `ServerError` after `timeout` seconds."""
        self._process.terminate()
        return self.wait(timeout)

    def wait(self, timeout: float = 10.0) -> int:
        """Return its exit status once it has ended. Raises `ServerError` after `timeout` seconds."""
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise ServerError(f"the server at {self.url} did not end within {timeout:g} s (pid {self.pid})") from error
        self._said = self.messages()
        _close(self._process, self._errors)
        return status

    def kill(self) -> None:
        """End it at once, as a crash would: nothing is saved."""
        self._process.kill()
        self.wait()

    def messages(self) -> str:
        """Return what the server has written to its standard error so far."""
        return self._said if self._errors.closed else _text(self._errors)

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self.stop()
        self.wait()


def start_server(env_path: str | Path, port: int = 0, save_every: float = 5.0, timeout: float = 30.0) -> ServerProcess:
    """Start a server that keeps its environments in `env_path`; return once it takes requests.

    `port` 0 takes a free one. Raises `ServerError` with the server's own words where it cannot start, and after
    `timeout` seconds.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, start_server(folder) as server:
    ...     server.url.startswith("http://127.0.0.1:")
    True
    """
    command = [sys.executable, "-m", "flexlogger.server", "--json", "--lifeline"]
    command += ["--port", str(port), "--env-path", str(env_path), "--save-every", str(save_every)]
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the server, and never blocks it as a pipe would
    # A session of its own: Ctrl-C is for the caller, who may have something left to draw; the lifeline ends the server.
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
    )
    assert process.stdout is not None  # it is a pipe
    watchdog = threading.Timer(timeout, process.kill)
    watchdog.start()
    line = process.stdout.readline()
    watchdog.cancel()
    if not line:
        process.wait()
        said = _text(errors).strip() or f"it did not answer within {timeout:g} s"
        _close(process, errors)
        raise ServerError(f"the dashboard server did not start: {said.splitlines()[-1]}")
    return ServerProcess(process, msgspec.json.decode(line, type=Serving), errors)


def _close(process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
    for file in (process.stdin, process.stdout, errors):
        if file is not None:
            file.close()


def _text(file: IO[bytes]) -> str:
    """Read without moving the position, which the server writes at."""
    return os.pread(file.fileno(), 2**20, 0).decode(errors="replace")
