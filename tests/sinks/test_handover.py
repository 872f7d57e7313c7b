"""What a view is handed comes in few pieces, and none that fills the memory."""

from __future__ import annotations

import numpy as np

from flexlogger.rows import Packed, Rows
from flexlogger.sinks.handover import TOGETHER_BYTES, Handover


def test_pieces_are_as_long_as_their_width_allows() -> None:
    for wide, most in ((1, 1), (1000, 12)):
        handover = Handover()
        steps = np.arange(100.0)
        names = tuple(f"m{i}" for i in range(wide))
        for _ in range(18):
            batch = Packed([])
            batch.parts = [Rows(names, steps, steps, np.zeros((wide, 100)), True)]
            handover.offer(batch, None, 0)
        pieces = [piece for piece in handover.take() if isinstance(piece, Rows)]
        assert sum(map(len, pieces)) == 1800
        assert len(pieces) <= most
        assert max(piece.nbytes for piece in pieces) < 1.5 * TOGETHER_BYTES
