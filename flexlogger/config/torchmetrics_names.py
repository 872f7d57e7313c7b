"""The class names torchmetrics offers, read from its sources: a config may use them, and a check must not import it."""

from __future__ import annotations

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path


@cache
def torchmetrics_paths() -> dict[str, str]:
    """Return {class name: dotted path} of every metric that torchmetrics exports; empty where it is not installed.

    The module of its field comes first: much that `torchmetrics` itself exports warns of going away there.

    >>> torchmetrics_paths().get("MulticlassF1Score") in (None, "torchmetrics.classification.MulticlassF1Score")
    True
    """
    spec = find_spec("torchmetrics")
    paths: dict[str, str] = {}
    for folder in (spec.submodule_search_locations or []) if spec else []:
        inits = [*sorted(Path(folder).glob("*/__init__.py")), Path(folder, "__init__.py")]
        for init in inits:
            module = "torchmetrics" if init == inits[-1] else f"torchmetrics.{init.parent.name}"
            if module not in ("torchmetrics.functional", "torchmetrics.utilities"):
                for name in _exported(init):
                    paths.setdefault(name, f"{module}.{name}")
    return paths


def _exported(init: Path) -> list[str]:
    """The class names in the lists that make up a module's `__all__`."""
    names: list[str] = []
    for node in ast.walk(ast.parse(init.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign | ast.AugAssign) and isinstance(node.value, ast.List):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
                constants = [item.value for item in node.value.elts if isinstance(item, ast.Constant)]
                names += [name for name in constants if isinstance(name, str) and name[:1].isupper()]
    return names
