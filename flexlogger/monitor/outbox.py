"""States on their way: numbered, bounded, kept until the host has acknowledged them."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Sequence
from typing import Literal, NamedTuple

from flexlogger.net.tags import Frame

Policy = Literal["drop_oldest", "drop_newest", "wait"]
WINDOW_BYTES = 64 * 2**20
WINDOW = 10_000
"""Most states that are on their way at once; the host keeps no more than that of one client."""
OVERHEAD = 200
"""Bytes that a waiting state is taken to weigh beside its frames."""
MANY_BYTES = 256 * 2**10
MANY = 1000
"""States of one frame are sent together: so many, so large."""

LIGHT = 512
"""What a small state is taken to weigh: nobody has to add them up."""
SMALL = LIGHT - OVERHEAD

Encoded = bytes | list[Frame]
"""A state as it waits: its only frame, or all of them."""


def weight(state: Encoded) -> int:
    """Bytes that a waiting state is taken to hold.

    >>> weight(b"12345"), weight([b"12" * 500, b"345"])
    (512, 1203)
    """
    return max(LIGHT, OVERHEAD + (len(state) if isinstance(state, bytes) else sum(map(len, state))))


class Parcel(NamedTuple):
    """What is sent in one message: its first and last state's numbers, the states, what they weigh. Of several, each
    has one frame."""

    first: int
    last: int
    states: Sequence[Encoded]
    size: int


class Outbox:
    """A bounded queue between `put` (the training thread) and the sending thread.

    What is on its way (sent, not yet acknowledged) is never dropped. At `max_bytes` the policy decides: the oldest
    waiting state goes, the newest is not taken, or `put` waits up to `patience` seconds and then does not take it.
    Dropped states are counted by reason; numbers are given at sending, so what the host sees has no gaps.
    """

    def __init__(self, max_bytes: int, policy: Policy, patience: float) -> None:
        self.dropped: Counter[str] = Counter()
        self.acknowledged = 0
        """States that the user at the host is done with."""
        self._max_bytes = max_bytes
        self._policy = policy
        self._patience = patience
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self.waiting: deque[Encoded] = deque()
        """States that are not sent yet. Small ones may be appended without a lock, up to `limit`."""
        self._on_the_way: deque[Parcel] = deque()
        self._resend: deque[Parcel] = deque()
        self._bytes_on_the_way = 0
        self._heavy = 0  # bytes of waiting states beyond what small ones weigh
        self.limit = 0
        """States that may wait before somebody has to add up what they weigh, or to wake the sending thread."""
        self._shut = False
        self._attended = False
        self._next = 0
        self._handed = -1

    # ---- the training thread

    def put(self, state: Encoded) -> bool:
        """Take a state; False where the policy did not."""
        size = weight(state)
        with self._lock:
            if self._weight() + size > self._max_bytes and not self._make_room(size):
                return False
            self._heavy += size - LIGHT
            self.waiting.append(state)
            self._set_limit()
        return True

    def _weight(self) -> int:
        return self._bytes_on_the_way + self._heavy + len(self.waiting) * LIGHT

    def _set_limit(self) -> None:
        open = self._attended and not self._shut
        self.limit = (self._max_bytes - self._bytes_on_the_way - self._heavy) // LIGHT if open else 0

    def _make_room(self, size: int) -> bool:
        if size > self._max_bytes:
            self.dropped["larger than the queue"] += 1
            return False
        if self._policy == "wait":
            self._room.wait_for(lambda: self._weight() + size <= self._max_bytes, self._patience)
        while self._policy == "drop_oldest" and self.waiting and self._weight() + size > self._max_bytes:
            self._heavy -= weight(self.waiting.popleft()) - LIGHT
            self.dropped["queue full, oldest dropped"] += 1
        if self._weight() + size <= self._max_bytes:
            return True
        self.dropped["queue full"] += 1
        return False

    def shut(self) -> None:
        """From now on every state is thought about."""
        with self._lock:
            self._shut = True
            self._set_limit()

    def wait_until_handed(self, timeout: float) -> bool:
        """Wait until everything put so far was handed to the user at the host; False where time ran out."""
        with self._room:
            return self._room.wait_for(lambda: self.all_handed, timeout)

    @property
    def all_handed(self) -> bool:
        """True where nothing is left to send, and nothing on its way that the user has not got."""
        return not self.waiting and self._handed >= self._next - 1

    # ---- the sending thread

    def attend(self, attended: bool) -> None:
        """Whether the sending thread looks here by itself; where it does not, every state is put with thought."""
        with self._lock:
            self._attended = attended
            self._set_limit()

    def next_parcel(self) -> Parcel | None:
        """What is to be sent now; None where nothing waits or enough is on its way."""
        with self._lock:
            if self._resend:
                return self._resend.popleft()
            full = self._next - self._first() >= WINDOW or self._bytes_on_the_way >= WINDOW_BYTES
            if full or not self.waiting:
                return None
            states = self._pop()
            parcel = Parcel(self._next, self._next + len(states) - 1, states, sum(map(weight, states)))
            self._next += len(states)
            self._on_the_way.append(parcel)
            self._bytes_on_the_way += parcel.size
            self._heavy -= parcel.size - LIGHT * len(states)
            self._set_limit()
            return parcel

    def _pop(self) -> list[Encoded]:
        """Several small states, or one of another kind."""
        waiting = self.waiting
        states = [waiting.popleft()]
        size = len(states[0])
        if isinstance(states[0], bytes):
            while waiting and isinstance(waiting[0], bytes) and len(states) < MANY:
                size += len(waiting[0])
                if size > MANY_BYTES:
                    break
                states.append(waiting.popleft())
        return states

    def acknowledge(self, seq: int, handed: int) -> None:
        """The user at the host has got every state up to `handed`, and is done with those up to `seq`."""
        with self._room:
            seq, handed = min(seq, self._next - 1), min(handed, self._next - 1)  # there are no others
            self._handed = max(self._handed, handed, seq)
            self.acknowledged = max(self.acknowledged, seq + 1)
            while self._on_the_way and self._on_the_way[0].last <= seq:
                self._bytes_on_the_way -= self._on_the_way.popleft().size
            self._set_limit()
            self._room.notify_all()

    def start_over(self, next_seq: int) -> None:
        """The host wants state `next_seq` next: what is on its way from there on is sent again."""
        with self._lock:
            self._resend = deque(parcel for parcel in self._on_the_way if parcel.last >= next_seq)

    def _first(self) -> int:
        return self._on_the_way[0].first if self._on_the_way else self._next

    @property
    def first(self) -> int:
        """The number of the first state that was never acknowledged."""
        with self._lock:
            return max(self._first(), self.acknowledged)

    @property
    def last(self) -> int:
        """The number of the last state that was given one; -1 where there is none."""
        return self._next - 1

    @property
    def queued(self) -> int:
        """States that are not acknowledged."""
        with self._lock:
            return len(self.waiting) + self._next - self.acknowledged

    def abandon(self, reason: str) -> None:
        """Count what is left as dropped."""
        with self._lock:
            left = len(self.waiting) + self._next - 1 - self._handed
            if left:
                self.dropped[reason] += left
            self._next = self.acknowledged
            self.waiting.clear()
            self._on_the_way.clear()
            self._resend.clear()
            self._heavy = self._bytes_on_the_way = 0
