"""Starts workers and asks them to measure, one at a time, in turns."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
QUIET = {
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "HF_HUB_OFFLINE": "1",
    "GRADIO_ANALYTICS_ENABLED": "false",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
"""Nothing that is measured here talks to anything but this machine."""


def as_installed() -> dict[str, str]:
    """This environment, but Python keeps what it has compiled, as pip does for what it installs."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class WorkerError(RuntimeError):
    """A contender could not do what it was asked; the message ends with the last lines it wrote."""


class Worker:
    """One contender's process. It begins to get ready when it is made; `with` waits until it is."""

    def __init__(
        self,
        contender: str,
        options: Mapping[str, Any] | None = None,
        *,
        python: str | Path = sys.executable,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.contender = contender
        self._ready = False
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [str(python), "-m", "bench.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            cwd=ROOT,
            env={**as_installed(), **THREADS, **QUIET, **(environment or {})},
            text=True,
            start_new_session=True,  # what it starts ends with it
        )
        self._say("setup", contender=contender, options=dict(options or {}))

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, verb: str, **request: Any) -> dict[str, Any]:
        """Send one request and wait for its answer. Raises WorkerError."""
        assert self._ready, "with Worker(…) as worker:"
        self._say(verb, **request)
        return self._hear(verb)

    def _say(self, verb: str, **request: Any) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # no answer will come, which tells more
            self._process.stdin.write(json.dumps({"do": verb, **request}) + "\n")
            self._process.stdin.flush()

    def _hear(self, verb: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "the process ended"}
        if "error" in answer:
            raise WorkerError(f"{self.contender}: {verb}: {answer['error']}\n{self.said()[-2000:]}")
        return dict(answer["ok"])

    def round(self, **request: Any) -> dict[str, Any]:
        """Measure once."""
        return self.ask("round", **request)

    def said(self) -> str:
        """What the process has written so far, to both of its outputs."""
        return os.pread(self._said.fileno(), 2**20, 0).decode(errors="replace")

    def close(self) -> dict[str, Any]:
        """Let the contender finish and end its process."""
        try:
            return self.ask("close")
        finally:
            self.kill()

    def kill(self) -> None:
        """End the process now, and those that it started."""
        if self._said.closed:
            return
        with suppress(ProcessLookupError):  # it and all that it started have ended
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._said):
            if file is not None:
                with suppress(BrokenPipeError):  # what it never read
                    file.close()

    def __enter__(self) -> Self:
        """Wait until the contender is ready. Raises WorkerError."""
        try:
            self._hear("setup")
        except BaseException:
            self.kill()
            raise
        self._ready = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
