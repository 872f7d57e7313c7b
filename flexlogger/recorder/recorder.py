"""The Recorder: what decorated functions return, logged at the end of each block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, ParamSpec, Protocol, Self, TypeVar

from flexlogger.errors import ValueRefusedError
from flexlogger.recorder.decorated import decorated
from flexlogger.recorder.gathered import Aggregation, Gathered
from flexlogger.recorder.table import GrowingTable
from flexlogger.records import Step
from flexlogger.tracking import api
from flexlogger.tracking.run import TrackedRun

P = ParamSpec("P")
T = TypeVar("T")


class Source(Protocol):
    """Something that is asked for its value at the end of a validation, beside what was returned."""

    def begin(self) -> None:
        """A validation begins."""

    def end(self) -> dict[str, Any]:
        """Its value by name, if there is one."""


class Recorder:
    """Records what decorated functions return within `with recorder(train=…)`.

    `track_scalar` is for training: at the end of each `with recorder(train=True)` its values become one, logged at the
    next step. `metric` is for validation: at the end of each `with recorder(train=False)` its values become one, logged
    at the last training step, and a row of the table that is printed. Outside such blocks, and in those of the other
    kind, decorated functions are as they were.

    It logs into the run that is current or open in this process (`flexlogger.runs.init`, a FlexLogger), or opens one
    with the first block.

    >>> recorder = Recorder()
    >>> @recorder.metric("valid_loss")
    ... def loss(x):
    ...     return x / 2
    >>> loss(3.0)
    1.5
    """

    def __init__(self) -> None:
        self.recording: bool | None = None
        """True within a training block, False within a validation block, else None."""
        self._blocks: list[Block] = []
        self._sources: dict[str, Source] = {}
        self._table = GrowingTable()
        self._run: TrackedRun | None = None
        self._opened = False
        self._next: Step = 0
        self._trained = False  # since the last validation

    # ---- what is recorded

    def track_scalar(self, name: str, agg: Aggregation | None = None) -> Callable[[Callable[P, T]], Callable[P, T]]:
        """Decorate a function, a coroutine or a method whose returned values are to be logged while training.

        `agg` makes one value of those of a block, a list in the order of the calls; without it they have to be numbers
        or 0-d tensors, and it is their mean. Raises ValueRefusedError for a class or a generator function, which return
        no value.
        """
        return self._decorator(True, name, agg)

    def metric(self, name: str, agg: Aggregation | None = None) -> Callable[[Callable[P, T]], Callable[P, T]]:
        """Decorate a function or method whose returned values are to be logged, and printed, for each validation."""
        return self._decorator(False, name, agg)

    def _decorator(
        self, training: bool, name: str, agg: Aggregation | None
    ) -> Callable[[Callable[P, T]], Callable[P, T]]:
        check(name, agg)

        def heard(value: Any) -> None:
            if self.recording is training:
                self.take(name, agg, value)

        return lambda function: decorated(name, function, heard)

    def take(self, name: str, agg: Aggregation | None, value: Any) -> None:
        """Record a value in the innermost block; outside of one it is passed over."""
        if self._blocks:
            self._blocks[-1].gathered(name, agg).add(value)

    def add_source(self, name: str, source: Source) -> None:
        """Ask `source` too at the end of each validation."""
        self._sources[name] = source

    # ---- blocks

    def __call__(self, *, train: bool | None = None, training: bool | None = None) -> Block:
        """Return a context manager: a block of training or, with False, of validation. Both words mean the same.

        An exception ends a block without anything being logged of it.
        """
        said = [value for value in (train, training) if value is not None]
        if len(said) != 1 or not isinstance(said[0], bool):
            raise ValueRefusedError(f"recorder: expected train=True or train=False, but got {train=}, {training=}")
        return Block(self, said[0])

    def enter(self, block: Block) -> None:
        """Begin a block; those around it go on at its end."""
        self._target()
        if not block.training:
            for source in self._sources.values():
                source.begin()
        self._blocks.append(block)
        self.recording = block.training

    def leave(self, block: Block, complete: bool) -> None:
        """End a block; where it is `complete`, log it."""
        self._blocks.remove(block)
        self.recording = self._blocks[-1].training if self._blocks else None
        if not complete:
            return
        values = block.results()
        if block.training:
            self._target().log(values, step=self._next)
            self._next += 1
            self._trained = True
            return
        for source in self._sources.values():
            values |= source.end()
        run = self._target()
        run.log(values, step=self._validated_at())
        row = dict(_numbers(values))
        if row and run.session.rank == 0:
            self._table.add(row)

    def _validated_at(self) -> Step:
        """The training step that a validation belongs to: the one around it, the one before it, or one of its own."""
        if any(block.training for block in self._blocks):
            return self._next
        if not self._trained:
            self._next += 1
        self._trained = False
        return self._next - 1

    # ---- the run

    @property
    def run(self) -> TrackedRun:
        """The run that is logged into; opened where there is none."""
        return self._target()

    def _target(self) -> TrackedRun:
        current = api.run
        if current is None:
            current, self._opened = self._init(), True
        if current is not self._run:
            self._run, self._next = current, current.step
        return current

    def _init(self) -> TrackedRun:
        return api.init()

    def finish(self) -> None:
        """End the run, where this recorder opened it; the interpreter's exit does so too."""
        if self._opened and self._run is not None:
            self._run.finish()
        self._opened = False

    # ---- copies

    def __deepcopy__(self, memo: Any) -> Self:
        """A copy of a model records where the model does."""
        return self

    def __reduce__(self) -> tuple[type[Recorder], tuple[()]]:
        """In another process it is one that has recorded nothing yet."""
        return Recorder, ()


class Block:
    """What is gathered between `with recorder(train=…)` and its end."""

    def __init__(self, recorder: Recorder, training: bool) -> None:
        self.training = training
        self._recorder = recorder
        self._gathered: dict[str, Gathered] = {}

    def gathered(self, name: str, agg: Aggregation | None) -> Gathered:
        """Where the values of a name go."""
        if name not in self._gathered:
            self._gathered[name] = Gathered(name, agg)
        return self._gathered[name]

    def results(self) -> dict[str, Any]:
        """One value a name."""
        return {name: gathered.result() for name, gathered in self._gathered.items()}

    def __enter__(self) -> Recorder:
        self._gathered = {}
        self._recorder.enter(self)
        return self._recorder

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._recorder.leave(self, complete=kind is None)


class WandbRecorder(Recorder):
    """A Recorder with a run of its own, under the words of wandb's: `project`, `tags`, `notes`, and what else
    `flexlogger.runs.init` takes.

    It is our own run API, with our own dashboard: no account is needed, and nothing is sent to W&B. To have the run on
    W&B too, name the sink: `WandbRecorder(**project, dashboard={"sinks": ["visdom", "wandb"]})`.

    Raises ValueRefusedError for a word that means nothing.
    """

    def __init__(self, **project: Any) -> None:
        super().__init__()
        self._project = project
        api.init(**project)
        self._opened = True

    def _init(self) -> TrackedRun:
        return api.init(**self._project)


def check(name: object, agg: object) -> None:
    """Raise ValueRefusedError for a name that is none, or an aggregation that cannot be called."""
    if not isinstance(name, str) or not name.strip():
        raise ValueRefusedError(f"recorder: expected a name, as in metric('valid_loss'), but got {name!r}")
    if agg is not None and not callable(agg):
        raise ValueRefusedError(f"recorder: {name!r}: expected a function of a list of values, but got {agg!r}")


def _numbers(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers among values and in mappings of them, under the names that they are logged by."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) or getattr(value, "ndim", None) == 0:
            yield prefix + name, float(value)
