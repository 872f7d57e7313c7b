"""From items to a segment's numbered lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from flexlogger import faults
from flexlogger.records import Item, Record
from flexlogger.runs import format as lines
from flexlogger.runs.blobs import BlobStore
from flexlogger.runs.opening import Opening, without_secrets

GROUP = 128
"""Records encoded in one call, while which no other thread runs …"""
GROUP_VALUES = 4096
"""… if they hold no more scalars than this together (0.4 ms)."""


class LineEncoder:
    """Numbers and encodes items; what is no scalar goes into `blobs`. Events are encoded without secrets.

    >>> from pathlib import Path
    >>> encoder, out = LineEncoder(BlobStore(Path("blobs"))), bytearray()
    >>> encoder.encode([Record(0, 1.0, {"a": 0.5})], out), encoder.next_q, bytes(out)
    (1, 1, b'{"q":0,"s":0,"t":1.0,"v":{"a":0.5},"c":"4c09020b"}\\n')
    """

    def __init__(self, blobs: BlobStore) -> None:
        self.blobs = blobs
        self.next_q = 0
        self.unencodable = 0
        """Items that were left out, because nothing could be made of them."""
        self.opening = Opening()

    def encode(self, items: Sequence[Item], out: bytearray) -> int:
        """Append the lines of items to `out` and return how many items: fewer where a blob could not be stored.

        Raises OSError where that is the first of them; nothing is then appended.
        """
        for start in range(0, len(items), GROUP):
            group = items[start : start + GROUP]
            if not self._at_once(group, out):
                done = self._one_by_one(group, out, may_raise=start == 0)
                if done < len(group):
                    return start + done
        return len(items)

    def _at_once(self, items: Sequence[Item], out: bytearray) -> bool:
        """Encode records of finite scalars, a third faster; False where they are something else."""
        if [item for item in items if type(item) is not Record or item.data]:
            return False
        records = cast(Sequence[Record], items)
        if sum([len(record.values) for record in records]) > GROUP_VALUES:
            return False
        encoded = lines.encode_records(self.next_q, records)
        if encoded is None:
            return False
        out += encoded
        self.next_q += len(records)
        return True

    def _one_by_one(self, items: Sequence[Item], out: bytearray, may_raise: bool) -> int:
        done = 0
        for item in items:
            try:
                self.encode_one(item, out)
            except OSError:
                if done or not may_raise:
                    break
                raise
            except Exception as error:
                self.unencodable += 1
                faults.swallow("encoding a record for the run log", error)
            done += 1
        return done

    def encode_one(self, item: Item, out: bytearray) -> None:
        """Append the lines of one item, or raise and append none."""
        encoded = self._lines(self.next_q, item)
        out += b"".join(encoded)
        self.next_q += len(encoded)

    def _lines(self, q: int, item: Item) -> list[bytes]:
        if not isinstance(item, Record):
            item = without_secrets(item)
            self.opening.note(item)
            return [lines.encode_item(q, item)]
        encoded = [lines.encode_values(q, item)] if item.values or not item.data else []
        for datum in item.data:
            encoded.append(lines.encode_datum(q + len(encoded), item, self.blobs.put(datum)))
        return encoded
