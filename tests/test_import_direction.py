"""Data flows one way, and so do imports: who may know whom, read from the source and tried in a fresh interpreter."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "flexlogger"
HEAVY = (
    "torch",
    "torchnet",
    "torchmetrics",
    "visdom",
    "tornado",
    "matplotlib",
    "plotly",
    "hydra",
    "omegaconf",
    "sklearn",
    "tensorboard",
    "tensorboardX",
    "wandb",
    "mlflow",
)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports(module: str) -> Iterator[str]:
    """Every module named in an import statement of `module`, those for type checkers aside."""
    tree = ast.parse(MODULES[module].read_text())
    for_checkers = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_checkers:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def below(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def part(module: str) -> str:
    """The part of the design a module belongs to: ``config`` of ``flexlogger.config.check``."""
    return [*module.split("."), ""][1]


KNOWS: dict[str, tuple[str, ...]] = {
    "errors": (),
    "records": (),
    "rows": ("records",),
    "faults": (),
    "background": (),
    "answer": (),
    "screen": (),
    "alarm": (),
    "catalog": ("errors", "records"),
    "config": (
        *("errors", "records", "catalog", "meters.catalog", "model.names", "plots.catalog"),
        *("server.names", "net.addresses", "inspector.names"),
    ),
    "meters": ("errors", "records", "catalog", "config.names", "config.torchmetrics_names"),  # lists of names, no more
    "readback": ("errors", "records", "faults"),
    "plots": ("errors", "records", "rows", "faults", "catalog"),
    "net": ("errors", "faults"),
    "monitor": ("errors", "faults", "net"),
    "mirror": ("errors", "faults", "answer", "runs", "net"),
    "pipe": (
        "errors",
        "records",
        "rows",
        "faults",
        "alarm",
        "answer",
        "endings",
        "background",
        "runs",
        "net",
        "mirror",
    ),
    "runs": ("errors", "records", "rows", "faults"),
    "sinks": ("errors", "records", "rows", "faults", "alarm", "answer", "screen", "runs", "plots"),
    "replay": ("errors", "records", "faults", "config.names", "ownership", "runs", "sinks", "plots", "views"),
    "report": ("errors", "records", "faults", "runs", "replay", "plots", "server.assets"),
    "model": (
        *("errors", "records", "faults", "catalog", "config.names", "config.load", "meters", "readback", "steps"),
        "logger",
    ),
    "integrations": ("errors", "faults", "runs", "identity", "model"),
    "server": ("errors",),
    "declared": ("records",),
    "endings": (),
    "inspector": ("errors", "records", "faults", "background", "readback", "model", "plots", "sinks"),
    "farewell": ("faults",),
    "notebook": (),
    "ranks": ("errors",),
    "meeting": ("errors", "ranks"),
    "ownership": ("faults", "runs"),
    "identity": ("errors", "records", "config", "ranks", "runs"),
    "away": ("errors", "config", "identity", "runs", "net", "pipe"),
    "views": ("errors", "config", "away", "runs", "sinks"),
    "drawing": ("records", "faults", "config", "identity", "ownership", "away", "views", "runs", "pipe", "sinks"),
}
"""Part → what it may know of ours besides itself. Those not listed stand above the stages and wire or call them."""


PROGRAMS = ("flexlogger.server.__main__", "flexlogger.pipe.child")
"""Started as processes of their own, they stand above the stages whatever part they are called after."""


@pytest.mark.parametrize("module", [name for name in MODULES if part(name) in KNOWS])
def test_no_stage_knows_one_it_should_not(module: str) -> None:
    if module in PROGRAMS:
        return
    known = [f"flexlogger.{name}" for name in (part(module), *KNOWS[part(module)])]
    ours = [name for name in imports(module) if below(name, "flexlogger") and name != "flexlogger"]
    assert not [name for name in ours if not below(name, *known) and not below(known[0], name)]


@pytest.mark.parametrize(
    "module", [name for name in MODULES if part(name) not in ("server", "cli", "demo", "__main__")]
)
def test_optional_libraries_are_imported_where_they_are_used(module: str) -> None:
    """At the top of a module only torch may be imported of what is heavy, and only where tensors are handled."""
    tree = ast.parse(MODULES[module].read_text())
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [alias.name for node in top if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in top if isinstance(node, ast.ImportFrom)]
    tensors = part(module) in (
        "meters",
        "meeting",
        "readback",
        "channels",
        "intake",
        "logger",
        "model",
        "inspector",
        "tracking",
        "integrations",
        "recorder",
    )
    tensors = tensors and module not in ("flexlogger.meters", "flexlogger.meters.catalog")
    allowed = ("torch",) if tensors else ()
    assert not [name for name in names if below(name, *HEAVY) and not below(name, *allowed)]


LIGHT = [
    "flexlogger",
    "flexlogger.cli",
    *(
        name
        for name in MODULES
        if part(name)
        in (
            *("errors", "records", "catalog", "config", "plots", "pipe", "runs", "sinks", "replay", "report"),
            *("net", "monitor", "mirror", "away", "views"),
        )
    ),
    "flexlogger.meters",
    "flexlogger.meters.catalog",
    "flexlogger.server.process",
    "flexlogger.server.run",
    "flexlogger.screen",
    "flexlogger.tracking.keeping",
    "flexlogger.inspector.child",
    "flexlogger.inspector.recorder",
]


def test_what_must_stay_light_does() -> None:
    """All in one interpreter that refuses every heavy library: what gets through needs none of them."""
    code = f"""
import importlib, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {HEAVY!r}:
            raise ImportError(name + ' is imported by something that must do without')
sys.meta_path.insert(0, Refuse())
for module in {LIGHT!r}:
    try:
        importlib.import_module(module)
    except ImportError as error:
        sys.exit(f'{{module}}: {{error}}')
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr


def test_the_first_import_brings_only_what_a_training_loop_needs() -> None:
    """`from flexlogger import FlexLogger` is waited for in every script; what not all need comes when it is used."""
    later = (
        *("yaml", "html", "http.client", "PIL", "rich", "typer", "pydantic", "zmq", "asyncio"),
        *("flexlogger.sinks.visdom", "flexlogger.plots.board", "flexlogger.sinks.terminal", "flexlogger.sinks.mlflow"),
        *("flexlogger.model.tooled", "flexlogger.inspector.handler", "flexlogger.monitor", "flexlogger.server.process"),
        *("flexlogger.tracking", "flexlogger.recorder", "flexlogger.progress", "flexlogger.integrations"),
        *("flexlogger.replay", "flexlogger.report", "flexlogger.cli"),
    )
    code = f"""
import sys, torch
before = set(sys.modules)
from flexlogger import FlexLogger
new = sys.modules.keys() - before
print([name for name in {later!r} if any(f'{{module}}.'.startswith(f'{{name}}.') for module in new)])
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ended.stdout == "[]\n", ended.stderr


def test_a_process_that_only_watches_brings_no_event_loop_and_no_arrays() -> None:
    """A host starts StateMonitor, or a training does, in a fraction of the time that torch takes."""
    code = """
import sys
from flexlogger import StateMonitor
print([n for n in ("asyncio", "torch", "numpy") if n in sys.modules])
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ended.stdout == "[]\n", ended.stderr


def test_the_package_works_without_its_extras() -> None:
    """A config is checked and a logger runs where only the core dependencies are installed."""
    extras = [name for name in HEAVY if name != "torch"]
    code = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {extras!r}:
            raise ModuleNotFoundError('No module named ' + repr(name), name=name)
sys.meta_path.insert(0, Refuse())
import flexlogger
for name in flexlogger.__all__:
    getattr(flexlogger, name)
plots = {{'loss': {{'type': 'line'}}}}
meters = {{'train_loss': {{'type': 'AverageValueMeter', 'target': 'loss'}}}}
with flexlogger.FlexLogger(plots, meters, sinks=[]) as stat:
    stat.add({{'train_loss': 0.5}})
    stat.log(0)
    assert stat.last('train_loss') == 0.5
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
