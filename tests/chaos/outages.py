"""A dashboard that goes away in every way it can: killed, stopped, frozen, cut off, stalled, deaf."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
import threading
import time
from pathlib import Path

from flexlogger.server.process import ServerProcess, start_server
from tests.ports import free_port


class Dashboard:
    """A real server on one port, which the test may take away and bring back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lives = 0
        self.server: ServerProcess = self._start(free_port())
        self.port = self.server.port
        self.url = self.server.url

    def _start(self, port: int, fresh: bool = True) -> ServerProcess:
        self._lives += fresh
        return start_server(self._folder / f"envs{self._lives}", port)

    def killed(self, seconds: float) -> None:
        """Killed, away for a while, and back with nothing of what it knew."""
        self.server.kill()
        time.sleep(seconds)
        self.server = self._start(self.port)

    def restarted(self, seconds: float) -> None:
        """Stopped in order and started again with what it had saved."""
        self.server.stop()
        time.sleep(seconds)
        self.server = self._start(self.port, fresh=False)

    def mute(self, seconds: float) -> None:
        """Frozen: it takes connections (the kernel does) and answers nothing."""
        os.kill(self.server.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(self.server.pid, signal.SIGCONT)

    def __enter__(self) -> Dashboard:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.kill()


class Wire:
    """A TCP proxy before a server, in a thread of its own: what a bad network does to a connection."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire")
        self._thread.start()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._asks = asyncio.Event()
        self._answers = asyncio.Event()
        self._asks.set()
        self._answers.set()
        self.connections = 0
        self._listener: asyncio.Server | None = None
        self.port = self._call(self._listen(0))

    def cut(self, seconds: float) -> None:
        """Every connection is reset; new ones are refused for a while."""
        self._call(self._close_listener())
        self._call(self._reset())
        time.sleep(seconds)
        self._call(self._listen(self.port))

    def flicker(self, seconds: float) -> None:
        """Every connection is reset, again and again, though new ones are taken."""
        for _ in range(10):
            self._call(self._reset())
            time.sleep(seconds / 10)

    def stalled(self, seconds: float) -> None:
        """Nothing passes in either direction; then everything goes on."""
        self._hold(self._asks, self._answers, seconds=seconds)

    def deaf(self, seconds: float) -> None:
        """Requests pass, answers are held up, and then the connection is reset before they arrive."""
        self._loop.call_soon_threadsafe(self._answers.clear)
        time.sleep(seconds)
        self._call(self._reset())
        self._loop.call_soon_threadsafe(self._answers.set)

    def lost(self, seconds: float) -> None:
        """Nothing passes and nobody is told; old connections never come back, new ones do."""
        self._loop.call_soon_threadsafe(self._asks.clear)
        time.sleep(seconds)
        self._call(self._renew())

    def _hold(self, *gates: asyncio.Event, seconds: float) -> None:
        for gate in gates:
            self._loop.call_soon_threadsafe(gate.clear)
        time.sleep(seconds)
        for gate in gates:
            self._loop.call_soon_threadsafe(gate.set)

    # ---- in its thread

    async def _listen(self, port: int) -> int:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", port)
        return int(self._listener.sockets[0].getsockname()[1])

    async def _close_listener(self) -> None:
        assert self._listener is not None
        self._listener.close()

    async def _renew(self) -> None:
        """Old connections keep the gate they wait at, which nobody opens any more."""
        self._asks = asyncio.Event()
        self._asks.set()

    async def _reset(self) -> None:
        for writer in list(self._writers):
            _reset(writer)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            _reset(writer)
            return
        self._writers.add(far_writer)
        asks, answers = self._asks, self._answers
        for pump in (self._pump(reader, far_writer, asks), self._pump(far_reader, writer, answers)):
            task = self._loop.create_task(pump)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event) -> None:
        try:
            while data := await reader.read(2**16):
                await gate.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    # ---- from the test

    def _call(self, coroutine):  # type: ignore[no-untyped-def]  # whatever the coroutine returns
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        await self._close_listener()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset, as a router or a killed container does: no goodbye."""
    if not writer.transport.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
