"""From a checked dashboard to the channels of its meters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flexlogger.channels import Channel
from flexlogger.config.model import Dashboard, MeterConfig
from flexlogger.errors import ConfigError, FlexLoggerError, Problem
from flexlogger.meeting import meeting
from flexlogger.meters.build import build_meter
from flexlogger.meters.reduced import Reduced
from flexlogger.plots.catalog import PLOTS
from flexlogger.ranks import this_rank
from flexlogger.records import Kind, PlotDef


def build_channels(
    dashboard: Dashboard, old: Mapping[str, Channel], allow_imports: Iterable[str]
) -> dict[str, Channel]:
    """Make the meters of a dashboard; those whose declaration is unchanged are kept with what they have gathered.

    Raises ConfigError with every meter that cannot be made.
    """
    plots = {plot.name: plot for plot in dashboard.plots}
    channels: dict[str, Channel] = {}
    problems: list[Problem] = []
    for config in dashboard.meters:
        known = old.get(config.name)
        if known is not None and known.config == config:
            channels[config.name] = known
            continue
        try:
            channels[config.name] = _channel(config, plots[config.target], tuple(allow_imports))
        except FlexLoggerError as error:
            problems.append(Problem(config.place, f"meters.{config.name}", str(error)))
    if problems:
        raise ConfigError(problems)
    return channels


def _channel(config: MeterConfig, plot: PlotDef, allow_imports: tuple[str, ...]) -> Channel:
    meter = build_meter(config.type, config.opts, kind_hint=_kind(plot), allow_imports=allow_imports)
    if config.reduce and this_rank().world > 1:
        meter = Reduced(config.name, meter, meeting())
    labels = plot.opts.get("labels", ())
    return Channel(config, meter, tuple(map(str, labels)) if isinstance(labels, (list, tuple)) else ())


_VALUE_OF: dict[str, Kind] = {"image": "image", "images": "images", "histogram": "histogram"}


def _kind(plot: PlotDef) -> Kind:
    """What a meter of unknown shape should make of its values: what its plot is for, else whatever comes."""
    accepts = PLOTS[plot.type].accepts - {"any"}
    return _VALUE_OF.get(plot.type, next(iter(accepts)) if len(accepts) == 1 else "any")
