"""States on their way: numbered, bounded, kept until the host has acknowledged them."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Literal, NamedTuple

from flexlogger.net.tags import Frame

Policy = Literal["drop_oldest", "drop_newest", "wait"]
WINDOW_BYTES = 32 * 2**20
WINDOW = 1000
"""Most that is on its way at once; the host keeps no more than that of one client."""
OVERHEAD = 200
"""Bytes that a waiting state is taken to weigh beside its frames."""


class Parcel(NamedTuple):
    """One state: its number, its frames, what it weighs."""

    seq: int
    frames: Sequence[Frame]
    size: int


class Outbox:
    """A bounded queue between `put` (the training thread) and the sending thread.

    What is on its way (`sent`, not yet acknowledged) is never dropped. At `max_bytes` the policy decides: the oldest
    waiting state goes, the newest is not taken, or `put` waits up to `patience` seconds and then does not take it.
    Dropped states are counted by reason; numbers are given at sending, so what the host sees has no gaps.
    """

    def __init__(self, max_bytes: int, policy: Policy, patience: float) -> None:
        self.dropped: Counter[str] = Counter()
        self.acknowledged = 0
        self._max_bytes = max_bytes
        self._policy = policy
        self._patience = patience
        self._room = threading.Condition()
        self._waiting: deque[tuple[Sequence[Frame], int]] = deque()
        self._on_the_way: deque[Parcel] = deque()
        self._resend: deque[Parcel] = deque()
        self._bytes = 0
        self._bytes_on_the_way = 0
        self._next = 0
        self._handed = -1

    # ---- the training thread

    def put(self, frames: Sequence[Frame]) -> bool:
        """Take a state; False where the policy did not."""
        size = OVERHEAD + sum(map(len, frames))
        with self._room:
            if self._bytes + size > self._max_bytes and not self._make_room(size):
                return False
            self._bytes += size
            self._waiting.append((frames, size))
        return True

    def _make_room(self, size: int) -> bool:
        if size > self._max_bytes:
            self.dropped["larger than the queue"] += 1
            return False
        if self._policy == "wait":
            deadline = time.monotonic() + self._patience
            while self._bytes + size > self._max_bytes:
                left = deadline - time.monotonic()
                if left <= 0 or not self._room.wait(left):
                    break
        while self._policy == "drop_oldest" and self._waiting and self._bytes + size > self._max_bytes:
            self._bytes -= self._waiting.popleft()[1]
            self.dropped["queue full, oldest dropped"] += 1
        if self._bytes + size <= self._max_bytes:
            return True
        self.dropped["queue full"] += 1
        return False

    def wait_until_handed(self, timeout: float) -> bool:
        """Wait until everything put so far was handed to the user at the host; False where time ran out."""
        with self._room:
            return self._room.wait_for(lambda: self.all_handed, timeout)

    @property
    def all_handed(self) -> bool:
        """True where nothing is left to send, and nothing on its way that the user has not got."""
        return not self._waiting and self._handed >= self._next - 1

    # ---- the sending thread

    def next_parcel(self) -> Parcel | None:
        """What is to be sent now; None where nothing waits or enough is on its way."""
        with self._room:
            if self._resend:
                return self._resend.popleft()
            full = len(self._on_the_way) >= WINDOW or self._bytes_on_the_way >= WINDOW_BYTES
            if not self._waiting or (full and self._on_the_way):
                return None
            frames, size = self._waiting.popleft()
            parcel = Parcel(self._next, frames, size)
            self._next += 1
            self._on_the_way.append(parcel)
            self._bytes_on_the_way += size
            return parcel

    def acknowledge(self, seq: int, handed: int) -> None:
        """The user at the host has got every state up to `handed`, and is done with those up to `seq`."""
        with self._room:
            self._handed = max(self._handed, handed, seq)
            while self._on_the_way and self._on_the_way[0].seq <= seq:
                size = self._on_the_way.popleft().size
                self._bytes_on_the_way -= size
                self._bytes -= size
                self.acknowledged += 1
            self._room.notify_all()

    def start_over(self, next_seq: int) -> None:
        """The host wants state `next_seq` next: what is on its way from there on is sent again."""
        with self._room:
            self._resend = deque(parcel for parcel in self._on_the_way if parcel.seq >= next_seq)

    @property
    def first(self) -> int:
        """The number of the first state that was never acknowledged."""
        with self._room:
            return self._on_the_way[0].seq if self._on_the_way else self._next

    @property
    def last(self) -> int:
        """The number of the last state that was given one; -1 where there is none."""
        return self._next - 1

    @property
    def queued(self) -> int:
        """States that are not acknowledged."""
        with self._room:
            return len(self._waiting) + len(self._on_the_way)

    def abandon(self, reason: str) -> None:
        """Count what is left as dropped."""
        with self._room:
            left = len(self._waiting) + sum(parcel.seq > self._handed for parcel in self._on_the_way)
            if left:
                self.dropped[reason] += left
            self._waiting.clear()
            self._on_the_way.clear()
            self._resend.clear()
            self._bytes = self._bytes_on_the_way = 0
