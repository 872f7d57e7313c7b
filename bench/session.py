"""What every benchmark is given: how long it may take, where it may write, who takes part, whom to tell."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench import peers
from bench.driver import Worker, WorkerError
from flexlogger.server.process import ServerProcess, start_server

Rounds = dict[str, list[dict[str, Any]]]


class Session:
    """`quick` asks for two minutes in all instead of many; `tell` shows what goes on. What was started ends with it."""

    def __init__(self, quick: bool, tell: Callable[[str], None]) -> None:
        self.quick = quick
        self.tell = tell
        self.problems: list[str] = []
        """Contenders that could not take part, and why."""
        self._started = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._started.close()

    def pick(self, full: Any, quick: Any) -> Any:
        """One of two figures."""
        return quick if self.quick else full

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A folder that is gone afterwards."""
        path = Path(tempfile.mkdtemp(prefix="flexlogger-bench-"))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def server(self) -> Iterator[ServerProcess]:
        """A dashboard server of one's own, with the usual saving every five seconds."""
        with self.folder() as folder, start_server(folder) as server:
            yield server

    def worker(self, contender: str, options: Mapping[str, Any], *, peer: bool = False) -> Worker:
        """Start a contender, a peer in the peers' environment; it gets ready while others are started."""
        self.tell(f"{contender} gets ready")
        worker = Worker(contender, options, python=peers.python() if peer else peers.our_python())
        self._started.callback(worker.kill)
        return worker

    def ready(self, stack: ExitStack, workers: Mapping[str, Worker]) -> dict[str, Worker]:
        """Those of `workers` that got ready, closed with `stack`; one that cannot start is noted as a problem."""
        found = {}
        for name, worker in workers.items():
            try:
                found[name] = stack.enter_context(worker)
            except WorkerError as error:
                self.problems.append(f"{name}: {str(error).splitlines()[0]}")
        return found

    def interleave(self, workers: Mapping[str, Worker], requests: Mapping[str, Sequence[Any]]) -> Rounds:
        """Let each worker measure in turn, A B C A B C …, until `requests`, a list for each, are answered.

        A worker that fails is left out from then on.
        """
        found: Rounds = {name: [] for name in workers}
        rounds = max(map(len, requests.values()))
        for turn in range(rounds):
            for name, worker in workers.items():
                if len(found[name]) < turn or turn >= len(requests[name]):
                    continue
                self.tell(f"round {turn + 1} of {rounds}: {name}")
                try:
                    found[name].append(worker.round(**requests[name][turn]))
                except WorkerError as error:
                    self.problems.append(str(error).splitlines()[0])
        return {name: answers for name, answers in found.items() if answers}
