"""The names of torchmetrics' classes, read from its files: nothing of it is imported before one is wanted."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from flexlogger.errors import UnknownNameError, unknown

_NOT_METRICS = ("functional", "utilities")
_BASES = frozenset({"Metric", "MetricCollection", "CompositionalMetric", "WrapperMetric"})


def torchmetrics_path(name: str) -> str | None:
    """Return where a class of torchmetrics stands that is named without its module; None if there is none.

    The module's own class wins over `torchmetrics.<name>`, since these are the same.

    Raises UnknownNameError where several modules have a class of this name.

    >>> torchmetrics_path("MulticlassF1Score")
    'torchmetrics.classification.MulticlassF1Score'
    >>> torchmetrics_path("AverageValueMeter") is None
    True
    """
    modules = _index().get(name, ())
    below = [module for module in modules if "." in module] or list(modules)
    if len(below) > 1:
        paths = ", ".join(f"{module}.{name}" for module in below)
        raise UnknownNameError(f"{name!r} stands for several classes; name one of them by its path: {paths}")
    return f"{below[0]}.{name}" if below else None


def torchmetrics_names() -> list[str]:
    """Return the names of all classes that torchmetrics offers; none where it is not installed."""
    return sorted(_index())


@cache
def _index() -> dict[str, tuple[str, ...]]:
    """Map each class's name to the public modules that offer it."""
    spec = importlib.util.find_spec("torchmetrics")
    if spec is None or spec.origin is None:
        return {}
    root = Path(spec.origin).parent
    files = {"torchmetrics": root / "__init__.py", "torchmetrics.aggregation": root / "aggregation.py"}
    files |= {f"torchmetrics.{f.parent.name}": f for f in sorted(root.glob("*/__init__.py"))}
    index: dict[str, tuple[str, ...]] = {}
    for module, file in files.items():
        if module.rpartition(".")[2] in _NOT_METRICS:
            continue
        for name in _public(file):
            if name[:1].isupper() and name not in _BASES:
                index[name] = (*index.get(name, ()), module)
    return index


def _public(file: Path) -> Iterator[str]:
    """Yield what a module puts into `__all__`; one without it, its own public classes."""
    tree = ast.parse(file.read_bytes())
    lists = [node.value for node in ast.walk(tree) if isinstance(node, ast.Assign | ast.AugAssign) and _is_all(node)]
    if not lists:
        yield from (node.name for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_")
    for value in lists:
        yield from ast.literal_eval(value) if isinstance(value, ast.List | ast.Tuple) else ()


def _is_all(node: ast.Assign | ast.AugAssign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)
