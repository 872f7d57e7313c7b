"""The hyper-parameters of a run, as its script reads and sets them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flexlogger.config.resolved import Unresolved, resolved
from flexlogger.errors import UnknownNameError, ValueRefusedError, unknown
from flexlogger.tracking.cycles import refuse_cycle

Record = Callable[[Mapping[str, Any]], None]


class Config(Mapping[str, Any]):
    """A mapping whose entries are attributes too; every change is recorded in the run.

    `values` is a mapping or parsed arguments (argparse.Namespace). Mappings inside it become configs of their own. What
    is stored is what was given (a torch.device stays one); what JSON does not know is recorded as its text.
    `record` is called with each change, by top-level name.

    Raises UnknownNameError (AttributeError for an attribute) for a name that is not there, with the nearest one.

    >>> config = Config({"lr": 0.1, "model": {"depth": 3}})
    >>> config.lr, config["model"].depth
    (0.1, 3)
    >>> config.update({"lr": 0.2, "epochs": 5})
    >>> config.as_dict()
    {'lr': 0.2, 'model': {'depth': 3}, 'epochs': 5}
    """

    _values: dict[str, Any]
    _record: Record | None
    _frozen: str

    def __init__(self, values: Mapping[str, Any] | Namespace | None = None, record: Record | None = None) -> None:
        vars(self).update(_values={}, _record=None, _frozen="")
        self.update(values if values is not None else {})
        vars(self)["_record"] = record

    def __getitem__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise UnknownNameError(f"config: {unknown('entry', str(name), self._values)}") from None

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copy and pickle ask for their own
            raise AttributeError(name)
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"config: {unknown('entry', name, self._values)}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(type(self), name):
            raise ValueRefusedError(f"config.{name} is something of its own; write config[{name!r}] = …")
        self.update({name: value})

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(self.as_dict())

    def __reduce__(self) -> tuple[Any, ...]:
        return Config, (self.as_dict(),)

    def update(self, values: Mapping[str, Any] | Namespace, allow_val_change: bool | None = None) -> None:
        """Set several entries. Any may be changed, with or without `allow_val_change`: the log keeps what it was.

        Interpolations of Hydra's configs are resolved. Raises ValueRefusedError for anything but a mapping of names,
        what holds itself, an entry of Hydra's that has no value, and once the run is finished.
        """
        if self._frozen:
            raise ValueRefusedError(f"config: {self._frozen}")
        entries = _entries(values)
        for name, value in entries.items():
            refuse_cycle(f"config: {name}", value)
        self._values.update({name: self._owned(name, value) for name, value in entries.items()})
        if self._record is not None and entries:
            self._record({name: _plain(self._values[name]) for name in entries})

    def setdefault(self, name: str, default: Any = None) -> Any:
        """Return an entry, set to `default` before where it is not there."""
        if name not in self:
            self[name] = default
        return self[name]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain dicts."""
        return {name: _plain(value) for name, value in self._values.items()}

    def freeze(self, why: str) -> None:
        """Refuse changes from now on, saying why."""
        vars(self)["_frozen"] = why
        for value in self._values.values():
            if isinstance(value, Config):
                value.freeze(why)

    def _owned(self, name: str, value: Any) -> Any:
        """Make a mapping a config whose changes are changes of entry `name`."""
        value = _resolved(value, f"config: {name}")
        if isinstance(value, Namespace) or (isinstance(value, Mapping) and all(isinstance(key, str) for key in value)):
            return Config(value, lambda _: self._changed(name))
        return value

    def _changed(self, name: str) -> None:
        if self._record is not None:
            self._record({name: _plain(self._values[name])})


def _resolved(value: Any, where: str) -> Any:
    try:
        return resolved(value)
    except Unresolved as error:
        raise ValueRefusedError(f"{where}: {error.key}: {error}") from error


def _entries(values: Mapping[str, Any] | Namespace) -> dict[str, Any]:
    values = _resolved(values, "config")
    if isinstance(values, Namespace):
        return vars(values)
    if not isinstance(values, Mapping):
        raise ValueRefusedError(f"config: expected a dict or parsed arguments, but got {values!r}")
    odd = next((name for name in values if not isinstance(name, str)), None)
    if odd is not None:
        raise ValueRefusedError(f"config: expected names that are strings, but got {odd!r}")
    return dict(values)


def _plain(value: Any) -> Any:
    return value.as_dict() if isinstance(value, Config) else value
