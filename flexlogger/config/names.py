"""Which names can be taken: by the dashboard's server, by the file system, and as something to import."""

from __future__ import annotations

import re
from collections.abc import Iterable

IMPORTABLE = ("torchmetrics", "torchnet", "flexlogger")
"""Packages whose classes a declaration may name; others must be allowed by whoever runs it."""

SAFE_NAME = r"^[\w][\w .@+=,-]{0,119}$"
MAX_BYTES = 200
"""Longest name in UTF-8 that the server takes, since it becomes a file's name."""
_SAFE_NAME = re.compile(SAFE_NAME.removesuffix("$"))
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")
COLOR = r"^(#([0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})|[a-zA-Z]+|(rgb|hsl)a?\([0-9.,%/ ]+\))$"
_COLOR = re.compile(COLOR.removesuffix("$"))


def name_refusal(name: str) -> str | None:
    """Say why the server would refuse an environment (or id, run, project) of this name; None if it would not.

    >>> name_refusal("digits 2"), name_refusal("../digits") is None
    (None, False)
    """
    if ".json" in name:
        return f"{name!r} holds '.json', which the server keeps for its files; leave it out"
    if _SAFE_NAME.fullmatch(name) and len(name.encode()) <= MAX_BYTES:
        return None
    return (
        f"the server refuses the name {name!r}; expected 1 to 120 letters, digits, spaces or _ . @ + = , - "
        "and a letter, digit or _ first"
    )


def label_refusal(name: str) -> str | None:
    """Say why a plot or meter cannot have this name; None if it can.

    >>> label_refusal(""), label_refusal("validation loss")
    ('expected a name, but got an empty string', None)
    """
    if not name.strip():
        return "expected a name, but got an empty string"
    if not name.isprintable():
        return f"expected a name of printable characters, but got {name!r}"
    return None


def color_refusal(color: str) -> str | None:
    """Say why this is no colour as CSS writes it; None if it may be one.

    >>> color_refusal("#0072b2"), color_refusal("#00")
    (None, "expected a colour such as '#0072b2', 'teal' or 'rgb(0, 114, 178)', but got '#00'")
    """
    if _COLOR.fullmatch(color):
        return None
    return f"expected a colour such as '#0072b2', 'teal' or 'rgb(0, 114, 178)', but got {color!r}"


def import_refusal(path: str, allowed: Iterable[str] = ()) -> str | None:
    """Say why a dotted path may not be imported; None if it may. Nothing is imported here.

    >>> import_refusal("torchmetrics.classification.MulticlassF1Score") is None
    True
    >>> import_refusal("subprocess.Popen")
    "'subprocess.Popen' is not below a package that may be imported (torchmetrics, torchnet, flexlogger); \
if you trust it, allow it with --allow-import subprocess"
    """
    if not _DOTTED.fullmatch(path):
        return f"expected a path such as torchmetrics.MeanMetric, but got {path!r}"
    prefixes = [*IMPORTABLE, *(prefix.rstrip(".") for prefix in allowed)]
    if not any(path.startswith(f"{prefix}.") for prefix in prefixes):
        listed = ", ".join(prefixes)
        return (
            f"{path!r} is not below a package that may be imported ({listed}); "
            f"if you trust it, allow it with --allow-import {path.split('.')[0]}"
        )
    if any(part.startswith("_") for part in path.split(".")):
        return f"{path!r} names something private; expected a public class"
    return None
