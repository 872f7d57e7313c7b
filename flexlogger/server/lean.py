"""visdom's server without visdom's client: 30 MB and 0.1 s instead of 240 MB and 2 s."""

from __future__ import annotations

import importlib.util
import sys

from flexlogger.errors import MissingExtraError


def leave_out_client() -> None:
    """Let `visdom.server` be imported without running visdom's own ``__init__``, which imports torch, numpy and Pillow.

    For a process that only serves: afterwards ``visdom.Visdom`` does not exist in it. Does nothing where visdom was
    imported before. Raises `MissingExtraError` where visdom or tornado are not installed.
    """
    if "visdom" in sys.modules:
        return
    spec = importlib.util.find_spec("visdom")
    if spec is None or importlib.util.find_spec("tornado") is None:
        raise MissingExtraError("flexlogger server", "visdom", "server")
    sys.modules["visdom"] = importlib.util.module_from_spec(spec)
