"""The shared memory: whatever is taken and given back, places never overlap and come back in order."""

from __future__ import annotations

import os

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flexlogger.inspector import wire
from flexlogger.inspector.ring import Ring


@given(st.lists(st.tuples(st.integers(1, 700), st.integers(0, 3)), max_size=60))
def test_places_never_overlap(moves: list[tuple[int, int]]) -> None:
    ring = Ring(1024)
    held: list[tuple[int, int]] = []
    for size, given_back in moves:
        begin = ring.reserve(size)
        if begin is not None:
            end = begin + wire.aligned(size)
            assert begin % wire.ALIGN == 0
            assert end <= 1024
            assert all(end <= first or last <= begin for first, last in held)
            held.append((begin, end))
        count = min(given_back, len(held))
        ring.release(count)
        del held[:count]
        assert ring.waiting == len(held)
    ring.release(len(held))
    assert ring.reserve(1024) == 0  # nothing is left taken
    ring.close()


def test_it_has_no_name_and_is_gone_when_it_is_closed() -> None:
    ring = Ring(4096)
    assert os.fstat(ring.fd).st_nlink == 0
    fd = ring.fd
    ring.close()
    try:
        os.fstat(fd)
    except OSError:
        return
    raise AssertionError("it is still open")


def test_what_is_read_is_an_own_copy() -> None:
    memory = bytearray(1024)
    head = wire.encode(wire.Head("a", "said", "float32", (2, 3)))
    memory[64 : 64 + len(head)] = head
    begin = wire.aligned(64 + len(head))
    memory[begin : begin + 24] = np.arange(6, dtype=np.float32).tobytes()
    found, numbers = wire.read(memoryview(memory), 64, len(head))
    memory[:] = bytes(1024)
    assert (found.key, found.internal_message, found.nbytes) == ("a", "said", 24)
    assert numbers.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
