"""A bad road between two ends of a TCP connection, in a thread of its own: far, narrow, losing packets, or gone."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
import time
from collections.abc import Coroutine
from typing import Any

PACKET = 16384
AGAIN_S = (0.2, 0.8)
"""How long TCP takes to notice that a packet was lost and to send it again; all behind it waits."""


class Road:
    """Passes on what comes to `port` to the port `to`: every packet `delay` seconds later, no more than
    `bytes_a_second` in each direction, and a share `loss` of them only when they were sent again."""

    def __init__(
        self, to: int, *, delay: float = 0.0, bytes_a_second: float | None = None, loss: float = 0.0, seed: int = 0
    ) -> None:
        self.connections = 0
        self.lost = 0
        """Packets that were sent again."""
        self.under_way = 0
        """Bytes that have left one side and not come to the other."""
        self._to = to
        self._delay = delay
        self._rate = bytes_a_second
        self._loss = loss
        self._chance = random.Random(seed)
        self._open = True
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="road")
        self._thread.start()
        self._listener: asyncio.Server | None = None
        self.port: int = self._call(self._listen(0))

    def vanish(self) -> None:
        """Nothing passes any more, and nobody is told. Who connects hears nothing."""
        self._open = False

    def cut(self) -> None:
        """Every connection is reset."""
        self._call(self._reset())

    def back(self) -> None:
        """It can be travelled again; those who were on it when it vanished are gone."""
        self._call(self._come_back())

    # ---- in its thread

    async def _listen(self, port: int) -> int:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", port)
        return int(self._listener.sockets[0].getsockname()[1])

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            _reset(writer)
            return
        self._writers.add(far_writer)
        for pump in (self._carry(reader, far_writer), self._carry(far_reader, writer)):
            task = self._loop.create_task(pump)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=256)
        arrive = self._loop.create_task(self._arrive(under_way, writer))
        sent = 0.0
        try:
            while data := await reader.read(PACKET):
                now = time.monotonic()
                sent = max(sent, now) + (len(data) / self._rate if self._rate else 0.0)
                lost = self._chance.random() < self._loss
                self.lost += lost
                if self._open:
                    self.under_way += len(data)
                    await under_way.put((sent + self._delay + (self._chance.uniform(*AGAIN_S) if lost else 0.0), data))
        except OSError:
            pass
        finally:
            await under_way.put((0.0, b""))
            await arrive
            self._writers.discard(writer)
            writer.close()

    async def _arrive(self, under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        while (packet := await under_way.get())[1]:
            due, data = packet
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.under_way -= len(data)
            if writer.transport.is_closing():
                continue
            try:
                writer.write(data)
                await writer.drain()
            except OSError:
                continue

    async def _reset(self) -> None:
        for writer in list(self._writers):
            _reset(writer)

    async def _come_back(self) -> None:
        """At once: nobody may come between whose first words are lost and whose next ones are not."""
        self._open = True
        await self._reset()

    async def _end(self) -> None:
        assert self._listener is not None
        self._listener.close()
        await self._reset()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- from the test

    def _call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def __enter__(self) -> Road:
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    if not writer.transport.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
