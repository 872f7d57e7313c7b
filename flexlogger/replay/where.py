"""In which windows a run is drawn again: its own, unless a live run is drawing those."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

import msgspec

from flexlogger.config.names import name_refusal
from flexlogger.errors import ServerError, ValueRefusedError
from flexlogger.runs.claims import Claim, windows_claim
from flexlogger.runs.find import FoundRun
from flexlogger.sinks.wire import Address, RefusedError

_HERE = ("localhost", "127.0.0.1", "::1")


class Windows(msgspec.Struct, frozen=True):
    """Where windows are sent: window ids are made of `uid`, `env` and the plot's name. `note` says why these are not
    the run's own."""

    server: Address
    env: str
    uid: str
    note: str = ""

    @property
    def url(self) -> str:
        """The dashboard's address."""
        return f"{self.server}/env/{quote(self.env)}"


def checked(what: str, name: str | None) -> None:
    """Raise ValueRefusedError for a name that dashboards refuse."""
    refusal = name_refusal(name) if name is not None else None
    if refusal is not None:
        raise ValueRefusedError(f"{what}: {refusal}")


@contextmanager
def reached(server: Address) -> Iterator[None]:
    """Add to the error that nobody answers at `server` how one is started."""
    try:
        yield
    except RefusedError:
        raise
    except ServerError as error:
        raise ServerError(f"{error}. {repair(server)}") from error


def repair(server: Address) -> str:
    """What to do where no server answers."""
    return f"Start a server with: flexlogger server --port {server.port}"


def windows_for(found: FoundRun, server: Address, env: str | None, uid: str | None, now: float) -> Windows:
    """Return the windows to draw a run in. What is given is taken as it is; else they are those the run was drawn in,
    or, where a live run draws these on this server, others: those of `ENV-replay` and `UID-replay`.

    Raises ValueRefusedError for a name that dashboards refuse."""
    checked("env", env)
    checked("uid", uid)
    card = found.card
    own_env = card.env or found.id
    own_uid = card.uid or own_env
    if env is not None or uid is not None:
        chosen = env if env is not None else own_env
        return Windows(server, chosen, uid if uid is not None else (own_uid if own_uid != own_env else chosen))
    drawer = _drawer(found, server, own_env, own_uid, now)
    if drawer is None:
        return Windows(server, own_env, own_uid)
    apart = f"{own_env}-replay"
    note = f"run {drawer} is drawing these windows now, so they go to environment {apart!r}; name another with --env"
    return Windows(server, apart, f"{own_uid}-replay", note)


def _drawer(found: FoundRun, server: Address, env: str, uid: str, now: float) -> str | None:
    """The live run that draws the windows of (server, env, uid)."""
    for name in _names(server):
        holder = Claim(windows_claim(found.folder.parent.parent, name, env, uid), "").holder()
        if holder is not None and not holder.is_stale(now):
            return holder.run
    drawn_on = urlsplit(found.card.url)
    same = (drawn_on.port, drawn_on.hostname in _HERE) == (server.port, server.host in _HERE)
    return found.id if found.status == "running" and found.card.url and same else None


def _names(server: Address) -> list[str]:
    """What a server may be called by those who draw on it."""
    hosts = _HERE if server.host in _HERE else (server.host,)
    return [str(msgspec.structs.replace(server, host=host)) for host in hosts]
