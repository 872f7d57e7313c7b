"""Writes docs/reference/ from the code: the API from docstrings, meters, plots and presets from their catalogs.

python -m docs.reference
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

import flexlogger
from flexlogger.catalog import Option

OF_THE_RUN = ("config", "run", "summary")
"""Variables of the run API that belong to whichever run is open."""
FOLDER = Path(__file__).parent / "reference"


def pages() -> dict[str, str]:
    """Every page by file name."""
    return {
        "api.md": api("API", flexlogger),
        "runs.md": api("The run API", flexlogger.runs),
        "meters.md": meters(),
        "plots.md": plots(),
        "presets.md": presets(),
    }


def api(title: str, module: ModuleType) -> str:
    """The public names of a module, with what their docstrings say."""
    parts = [f"# {title}"]
    for name in module.__all__:
        if name in OF_THE_RUN:
            continue
        thing = getattr(module, name)
        parts.append(f"## {name}\n\n{_described(name, thing)}")
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            parts += [f"### {name}.{verb}\n\n{_described(verb, method)}" for verb, method in _methods(thing)]
    return "\n\n".join(parts) + "\n"


def _methods(kind: type) -> Iterator[tuple[str, object]]:
    for name, member in inspect.getmembers(kind):
        ours = (getattr(member, "__module__", None) or "").startswith("flexlogger") or isinstance(member, property)
        if not name.startswith("_") and ours and inspect.getdoc(member):
            yield name, member


def _described(name: str, thing: object) -> str:
    shown = ""
    if callable(thing) and not (inspect.isclass(thing) and issubclass(thing, Exception)):
        shown = f"```python\n{name}{inspect.signature(thing)}\n```\n\n"
    return shown + _examples_fenced(inspect.getdoc(thing) or "")


def _examples_fenced(text: str) -> str:
    """Put doctest examples into code fences."""
    lines, inside = [], False
    for line in text.splitlines():
        starts = line.startswith(">>>")
        if starts and not inside:
            lines.append("```python")
        if inside and not line.strip():
            lines.append("```")
        inside = (starts or inside) and bool(line.strip())
        lines.append(line)
    return "\n".join([*lines, "```"] if inside else lines)


def meters() -> str:
    """The meters' catalog."""
    parts = ["# Meters"]
    for name in flexlogger.meter_types():
        info = flexlogger.meter_info(name)
        outputs = ", ".join(f"`{output.name or 'value'}` ({output.kind})" for output in info.outputs)
        facts = f"- takes: {info.takes}\n- returns: {info.returns}\n- logs: {outputs}"
        facts += f"\n- unit: {info.unit}" if info.unit else ""
        parts.append(f"## {name}\n\n{info.doc}\n\n{facts}{_options(info.options)}\n\n{_yaml(info.example)}")
    return "\n\n".join(parts) + "\n"


def plots() -> str:
    """The plots' catalog."""
    parts = ["# Plots"]
    for name in flexlogger.plot_types():
        info = flexlogger.plot_info(name)
        draws = f"Draws: {', '.join(sorted(info.accepts))}."
        parts.append(f"## {name}\n\n{info.doc}\n\n{draws}{_options(info.options)}\n\n{_yaml(info.example)}")
    return "\n\n".join(parts) + "\n"


def presets() -> str:
    """The presets with their YAML."""
    parts = ["# Presets"]
    for name in flexlogger.preset_names():
        parts.append(f"## {name}\n\n{_yaml(flexlogger.preset_info(name).yaml)}")
    return "\n\n".join(parts) + "\n"


def _options(options: Iterable[Option]) -> str:
    rows = [
        f"| `{o.name}` | {' or '.join(o.types)} | {'required' if o.required else o.default or ''} | {o.doc} |"
        for o in options
    ]
    return "\n\n| option | type | default | |\n|---|---|---|---|\n" + "\n".join(rows) if rows else ""


def _yaml(text: str) -> str:
    return f"```yaml\n{text.strip()}\n```"


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"docs/reference/{name}")


if __name__ == "__main__":
    main()
