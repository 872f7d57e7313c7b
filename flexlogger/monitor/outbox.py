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
WINDOW = 10_000
"""Most that is on its way at once; the host keeps no more than that of one client."""
OVERHEAD = 200
"""Bytes that a waiting state is taken to weigh beside its frames."""
SMALL = 4096
MANY_BYTES = 64 * 2**10
MANY = 256
"""Small states are sent together: so many, so large."""


class Parcel(NamedTuple):
    """One state: its number, its frames, what it weighs."""

    seq: int
    frames: Sequence[Frame]
    size: int

    @property
    def small(self) -> bool:
        """True where it may be sent with others."""
        return self.size <= SMALL and len(self.frames) == 1


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
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
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
        size = OVERHEAD + (len(frames[0]) if len(frames) == 1 else sum(map(len, frames)))
        with self._lock:
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

    def next_parcels(self) -> list[Parcel]:
        """What is to be sent now, in one message: one state, or several small ones. None where nothing waits or enough
        is on its way."""
        with self._lock:
            parcels: list[Parcel] = []
            size = 0
            while (parcel := self._first()) is not None:
                size += parcel.size
                if parcels and not (parcel.small and size <= MANY_BYTES and len(parcels) < MANY):
                    break
                self._take(parcel)
                parcels.append(parcel)
                if not parcel.small:
                    break
            return parcels

    def _first(self) -> Parcel | None:
        if self._resend:
            return self._resend[0]
        full = len(self._on_the_way) >= WINDOW or self._bytes_on_the_way >= WINDOW_BYTES
        if not self._waiting or (full and self._on_the_way):
            return None
        return Parcel(self._next, *self._waiting[0])

    def _take(self, parcel: Parcel) -> None:
        if self._resend:
            self._resend.popleft()
            return
        self._waiting.popleft()
        self._next += 1
        self._on_the_way.append(parcel)
        self._bytes_on_the_way += parcel.size

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
        with self._lock:
            self._resend = deque(parcel for parcel in self._on_the_way if parcel.seq >= next_seq)

    @property
    def first(self) -> int:
        """The number of the first state that was never acknowledged."""
        with self._lock:
            return self._on_the_way[0].seq if self._on_the_way else self._next

    @property
    def last(self) -> int:
        """The number of the last state that was given one; -1 where there is none."""
        return self._next - 1

    @property
    def queued(self) -> int:
        """States that are not acknowledged."""
        with self._lock:
            return len(self._waiting) + len(self._on_the_way)

    def abandon(self, reason: str) -> None:
        """Count what is left as dropped."""
        with self._lock:
            left = len(self._waiting) + sum(parcel.seq > self._handed for parcel in self._on_the_way)
            if left:
                self.dropped[reason] += left
            self._waiting.clear()
            self._on_the_way.clear()
            self._resend.clear()
            self._bytes = self._bytes_on_the_way = 0
