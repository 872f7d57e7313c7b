"""Keeping torch.compile out of the way while any model is watched: compiled code has no hooks in it."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import torch


class Eager:
    """Compiled functions run as they were written, and stay compiled for later, from the first `hold` to the last
    `release`. Nothing happens where the compiler is not loaded."""

    def __init__(self) -> None:
        self._holders = 0
        self._stance: Any = None

    def hold(self) -> None:
        """Run eagerly from now on."""
        self._holders += 1
        if "torch._dynamo" not in sys.modules:
            return
        if self._stance is None:
            self._stance = torch.compiler.set_stance("force_eager")
        # Our hooks do not mind that torch.compile's wrapper, which is no layer, is seen too.
        warnings.filterwarnings("ignore", "Using `torch.compile.module.` when there are global hooks")

    def release(self) -> None:
        """Go back to what was before, unless somebody else still holds."""
        self._holders -= 1
        if not self._holders and self._stance is not None:
            self._stance.__exit__(None, None, None)
            self._stance = None


EAGER = Eager()
"""The one of this process, as torch has one stance."""
