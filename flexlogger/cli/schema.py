"""`flexlogger schema`."""

from __future__ import annotations

from flexlogger.cli.common import new_app
from flexlogger.cli.listing import as_json
from flexlogger.config.schema import json_schema

app = new_app()


@app.command()
def schema() -> None:
    """Print the JSON Schema of a config.

    Save it and name it in the first line of a config, and editors complete and check what you write:
    `# yaml-language-server: $schema=flexlogger.schema.json`
    """
    print(as_json(json_schema()))
