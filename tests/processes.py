"""A process that somebody else has started for us, with what `subprocess.Popen` offers for our own."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
from types import TracebackType
from typing import IO, Self


class Process:
    """`told` is read: the process's number, and when it has ended its status, a line each."""

    def __init__(self, told: int, stdin: int, stdout: int, stderr: int) -> None:
        self._told = os.fdopen(told)
        self.stdin: IO[str] | None = os.fdopen(stdin, "w") if stdin >= 0 else None
        self.stdout: IO[str] = os.fdopen(stdout)
        self.stderr: IO[str] = os.fdopen(stderr)
        self.returncode: int | None = None
        self.pid = int(self._told.readline())

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            self.returncode = int(self._told.readline())
            self._told.close()
        return self.returncode

    def communicate(self, said: str | None = None, timeout: float | None = None) -> tuple[str, str]:
        """Say the last words to it, and wait for its own."""
        if self.stdin is not None and not self.stdin.closed:
            try:
                self.stdin.write(said or "")
                self.stdin.close()
            except BrokenPipeError:
                pass
        heard = {}

        def read(stream: IO[str]) -> None:
            with stream:
                heard[stream] = stream.read()

        readers = [
            threading.Thread(target=read, args=(s,), daemon=True) for s in (self.stdout, self.stderr) if not s.closed
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(timeout)
            if reader.is_alive():
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        self.wait(timeout)
        return heard.get(self.stdout, ""), heard.get(self.stderr, "")

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()
