"""The check of where views run."""

from __future__ import annotations

from flexlogger.config.section import Section
from flexlogger.config.tree import Problems
from flexlogger.errors import ValueRefusedError, nearest
from flexlogger.net.addresses import address, is_loopback

PLACES = ("thread", "process")
TCP = "tcp://"


def check_pipe(top: Section, problems: Problems) -> None:
    """Note what is wrong with `pipe` and `keys`: a word that is no place, an address that cannot be or needs keys, and
    a run without the log that other processes read."""
    where = top.values.get("pipe", "thread")
    if where not in PLACES:
        refusal = _refusal(where, "keys" in top.values)
        if refusal:
            problems.add(top.at("pipe"), "pipe", refusal)
            return
    if where != "thread" and top.values.get("runlog", True) not in (True, "on"):
        problems.add(top.at("pipe"), "pipe", f"{where} reads the run log, and runlog is off; leave one of them out")


def _refusal(where: str, keys: bool) -> str:
    if not where.startswith(TCP):
        close = nearest(where, PLACES)
        hint = f"; did you mean {close!r}?" if close else ""
        return f"expected thread, process or tcp://host:port, but got {where!r}{hint}"
    try:
        host, port = address(where)
    except ValueRefusedError as error:
        return str(error)
    if not port:
        return f"expected the port of a flexlogger monitor, but got {where!r}"
    if not keys and not is_loopback(host):
        return (
            f"{where} leaves this machine, which needs keys; make them with: flexlogger keys NAME, and say "
            "keys: NAME.client.key"
        )
    return ""
