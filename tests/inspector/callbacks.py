"""Callbacks for tests: they run in other processes and leave what they saw in files."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flexlogger.inspector.callbacks import takes_arrays

if TYPE_CHECKING:
    import torch


class Notes:
    """Writes a line for each call, and each tensor into a file of its own."""

    def __init__(self, folder: Path, pause: float = 0.0) -> None:
        self.folder, self.pause, self.count = folder, pause, 0

    @takes_arrays
    def onrun(self, unique_id: int, key: str, internal_message: str, message: str, array: np.ndarray[Any, Any]) -> None:
        np.save(self.folder / f"{unique_id}-{self.count}.npy", array)
        self._line({"key": key, "said": internal_message, "step": int(message), "id": unique_id, "at": self.count})
        self.count += 1
        time.sleep(self.pause)

    def onclosing(self) -> None:
        self._line({"closed": self.count, "torch": "torch" in sys.modules, "pid": os.getpid()})

    def _line(self, line: dict[str, Any]) -> None:
        with (self.folder / "notes.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")


def read(folder: Path) -> list[dict[str, Any]]:
    """The lines so far; those of tensors with the `array`."""
    path = folder / "notes.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    for line in lines:
        if "key" in line:
            line["array"] = np.load(folder / f"{line['id']}-{line['at']}.npy")
    return lines


def seen(folder: Path) -> list[tuple[str, int]]:
    """Keys and steps in order."""
    return [(line["key"], line["step"]) for line in read(folder) if "key" in line]


class Tensors(Notes):
    """The same for a callback that wants torch's tensors."""

    def on_tensor(self, unique_id: int, key: str, internal_message: str, message: str, tensor: torch.Tensor) -> None:
        self._line({"kind": type(tensor).__name__, "dtype": str(tensor.dtype), "values": tensor.float().tolist()})
        tensor.zero_()  # it is the callback's own


def dies(unique_id: int, key: str, internal_message: str, message: str, tensor: Any) -> None:
    os._exit(7)


@takes_arrays
def hangs(unique_id: int, key: str, internal_message: str, message: str, tensor: Any) -> None:
    while True:
        time.sleep(60)


@takes_arrays
def raises(unique_id: int, key: str, internal_message: str, message: str, tensor: Any) -> None:
    raise LookupError("no such colour")


@takes_arrays
def leaves(unique_id: int, key: str, internal_message: str, message: str, tensor: Any) -> None:
    sys.exit("that is all")


def raises_at_the_end() -> None:
    raise LookupError("no such shelf")


@takes_arrays
def ignores(unique_id: int, key: str, internal_message: str, message: str, tensor: Any) -> None:
    pass
