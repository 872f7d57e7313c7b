"""`flexlogger runs`: what has been logged on this machine."""

from __future__ import annotations

from flexlogger.cli.common import new_app
from flexlogger.cli.runs.compare import compare_runs
from flexlogger.cli.runs.delete import delete
from flexlogger.cli.runs.export import export
from flexlogger.cli.runs.list import list_runs
from flexlogger.cli.runs.push import push_runs
from flexlogger.cli.runs.show import show

app = new_app()
app.command("list")(list_runs)
app.command("show")(show)
app.command("compare")(compare_runs)
app.command("export")(export)
app.command("push")(push_runs)
app.command("delete")(delete)
