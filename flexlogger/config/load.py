"""The one way from a declaration to a dashboard."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flexlogger.catalog import describe
from flexlogger.config.check import check
from flexlogger.config.environment import interpolate
from flexlogger.config.extends import Chain
from flexlogger.config.mapping import from_mapping
from flexlogger.config.merge import merge
from flexlogger.config.model import Dashboard
from flexlogger.config.sources import Folders, Unreadable, is_file, read, user_folders
from flexlogger.config.tree import Problems, Table
from flexlogger.errors import Place

Declaration = str | os.PathLike[str] | Mapping[str, Any]
"""A path, presets such as ``loss+MSE``, or a mapping."""


def load(
    source: Declaration,
    *,
    overrides: Mapping[str, Any] | Sequence[Mapping[str, Any]] = (),
    presets_dirs: Folders | None = None,
    allow_imports: Iterable[str] = (),
) -> Dashboard:
    """Merge and check a declaration; return the frozen dashboard.

    `source` is the path of a YAML file, presets and paths joined by ``+``, or a mapping; `overrides` (one mapping, or
    several in order) are merged over it. Presets come from `presets_dirs` (FLEXLOGGER_PRESETS if not given) and from
    the package. Dotted paths of meters may stand below torchmetrics, torchnet, flexlogger and `allow_imports`; nothing
    is imported here.

    Raises ConfigError with every problem found.

    >>> dashboard = load("loss+MSE", overrides={"env": "digits"})
    >>> [meter.name for meter in dashboard.meters]
    ['train_loss', 'test_loss', 'train_mse', 'test_mse']
    >>> load({"plots": {"loss": {"type": "lime"}}})
    Traceback (most recent call last):
    flexlogger.errors.ConfigError: <dict>: plots.loss.type: unknown plot type 'lime'; did you mean 'line'?
    """
    problems = Problems()
    chain = Chain(user_folders() if presets_dirs is None else presets_dirs, problems)
    _add(chain, source, problems)
    for layer in [overrides] if isinstance(overrides, Mapping) else overrides:
        chain.add_table(from_mapping(layer, problems, "<arguments>"))
    root = interpolate(merge(chain.tables), problems)
    assert isinstance(root, Table)
    dashboard = check(root, chain.complete, allow_imports, problems)
    problems.raise_if_any()
    return dashboard


def load_model(extends: Any, allow_imports: Iterable[str] = ()) -> dict[str, Any]:
    """What presets and files say under `model`. What else they say is not looked at: it may name windows that the model
    has yet to bring. Raises ConfigError.

    >>> load_model("grads")["budget"]
    '1%'
    """
    problems = Problems()
    chain = Chain(user_folders(), problems)
    chain.add_table(from_mapping({"extends": extends}, problems, "<arguments>"))
    said = {key: entry for key, entry in merge(chain.tables).entries.items() if key == "model"}
    root = interpolate(Table(said), problems)
    assert isinstance(root, Table)
    model = check(root, chain.complete, allow_imports, problems).model
    problems.raise_if_any()
    return model


def _add(chain: Chain, source: Declaration, problems: Problems) -> None:
    if isinstance(source, Mapping):
        chain.add_table(from_mapping(source, problems))
    elif isinstance(source, os.PathLike):
        path = os.fspath(source)
        try:
            chain.add_source(read(path), Place(path), "")
        except Unreadable as error:
            problems.add(Place(path), "", str(error))
            chain.complete = False
    elif not isinstance(source, str):
        expected = "expected a YAML file, presets such as 'loss+acc' or a mapping"
        problems.add(Place("<arguments>"), "", f"{expected}, but got {describe(source)}")
        chain.complete = False
    else:
        chain.add_expression(source, Place(source if is_file(source) else "<preset>"), "")
