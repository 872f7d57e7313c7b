"""Configs of Hydra's (omegaconf) as plain data."""

from __future__ import annotations

import sys
from typing import Any


class Unresolved(ValueError):
    """An entry has no value: `key` is its full key in the config, the text says why."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(why)
        self.key = key


def resolved(value: Any) -> Any:
    """Return a DictConfig or ListConfig as dicts and lists, its interpolations resolved; anything else as it is.

    Raises Unresolved for a value that is missing (`???`), and an interpolation that leads nowhere.

    >>> from omegaconf import OmegaConf
    >>> resolved(OmegaConf.create({"lr": 0.1, "warm": {"lr": "${lr}"}}))
    {'lr': 0.1, 'warm': {'lr': 0.1}}
    """
    omegaconf = sys.modules.get("omegaconf")  # whoever holds one of its objects has imported it
    if omegaconf is None or not omegaconf.OmegaConf.is_config(value):
        return value
    try:
        return omegaconf.OmegaConf.to_container(value, resolve=True, throw_on_missing=True)
    except omegaconf.errors.OmegaConfBaseException as error:
        raise Unresolved(error.full_key or "", str(error).split("\n")[0]) from error
