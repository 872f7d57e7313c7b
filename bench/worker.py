"""A contender in a process of its own: reads one JSON request a line from stdin, answers with one JSON line on stdout.

    {"do": "setup", "contender": "ours", "options": {…}}   → {"ok": {…}}
    {"do": "round", …}                                     → {"ok": {…}}
    {"do": "close"}                                        → {"ok": {…}}, and the process ends

A contender is a module of `bench.contenders` with a class `Contender(**options)` that has `round(**request) -> dict`
and `close() -> dict`. Standard library only: peers run in an environment of their own.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from typing import Any, Protocol


class Contender(Protocol):
    """What takes part in a benchmark."""

    def round(self, **request: Any) -> dict[str, Any]:
        """Measure once."""

    def close(self) -> dict[str, Any]:
        """Let go of everything; may answer with closing figures."""


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not look like an answer
    contender: Contender | None = None
    for line in sys.stdin:
        request = json.loads(line)
        verb = request.pop("do")
        try:
            if verb == "setup":
                contender = importlib.import_module(f"bench.contenders.{request['contender']}").Contender(
                    **request["options"]
                )
                answer: dict[str, Any] = {"ok": {}}
            else:
                assert contender is not None, "setup comes first"
                answer = {"ok": contender.round(**request) if verb == "round" else contender.close()}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
        if verb == "close":
            os._exit(0)  # libraries' threads and exit hooks are not what is measured


if __name__ == "__main__":
    main()
