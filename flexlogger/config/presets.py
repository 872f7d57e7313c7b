"""What presets there are, and what each of them declares."""

from __future__ import annotations

import msgspec

from flexlogger.config.extends import Chain
from flexlogger.config.load import load
from flexlogger.config.model import MeterConfig
from flexlogger.config.sources import Folders, is_file, presets, split, user_folders
from flexlogger.config.tree import Problems
from flexlogger.errors import Place, UnknownNameError, unknown
from flexlogger.meters.catalog import METERS
from flexlogger.records import PlotDef


class PresetInfo(msgspec.Struct, frozen=True):
    """What an expression such as ``loss+acc`` declares; `str` shows it for people.

    `takes` says for each meter what values `add` expects under its name. `yaml` is the text of the presets.
    """

    expression: str
    doc: str
    plots: tuple[PlotDef, ...]
    meters: tuple[MeterConfig, ...]
    takes: dict[str, str]
    yaml: str

    def __str__(self) -> str:
        plots = [f"  {plot.name}: {plot.type}" for plot in self.plots]
        meters = [f"  {m.name}: {m.type} in plot {m.target}; add takes {self.takes[m.name]}" for m in self.meters]
        return "\n".join([self.expression, self.doc, "", "plots", *plots, "", "meters", *meters, "", self.yaml])


def preset_names(presets_dirs: Folders | None = None) -> list[str]:
    """Return the names of all presets: the package's, and those in `presets_dirs` (FLEXLOGGER_PRESETS if not given).

    >>> {"loss", "mse", "acc"} <= set(preset_names())
    True
    """
    return sorted(presets(user_folders() if presets_dirs is None else presets_dirs))


def preset_info(expression: str, presets_dirs: Folders | None = None) -> PresetInfo:
    """Return what presets joined by ``+`` declare: plots, meters, what each meter takes, and the YAML.

    Raises UnknownNameError for a name that is no preset's, ConfigError where a preset of the user's is wrong.

    >>> info = preset_info("loss+Acc")
    >>> [plot.name for plot in info.plots]
    ['loss', 'acc']
    """
    folders = user_folders() if presets_dirs is None else presets_dirs
    known = preset_names(folders)
    for part in split(expression):
        if not is_file(part) and part not in known:
            raise UnknownNameError(unknown("preset", part, known))
    dashboard = load(expression, presets_dirs=folders)
    chain = Chain(folders, Problems())
    chain.add_expression(expression, Place(), "")
    texts = [source.text.decode("utf-8-sig").strip() for source in chain.sources]
    return PresetInfo(
        expression=expression,
        doc="\n".join(_leading_comment(text) for text in texts),
        plots=dashboard.plots,
        meters=dashboard.meters,
        takes={meter.name: _takes(meter) for meter in dashboard.meters},
        yaml="\n\n".join(texts),
    )


def _leading_comment(text: str) -> str:
    lines = text.splitlines()
    end = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return " ".join(line.lstrip("# ").rstrip() for line in lines[:end])


def _takes(meter: MeterConfig) -> str:
    info = METERS.get(meter.type) if isinstance(meter.type, str) else None
    return info.takes if info else "what its class takes"
