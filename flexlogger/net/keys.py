"""Key files for connections that leave the machine (CURVE, as in CurveZMQ): who may connect, and nobody reads along.

`flexlogger keys NAME` writes two files. `NAME.host.key` stays on the host: its own secret key and the public key it
lets in. `NAME.client.key` goes to the trainers: the host's public key and the secret key that opens it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import zmq

from flexlogger.errors import ValueRefusedError


class HostKeys(msgspec.Struct, frozen=True, tag="host", tag_field="flexlogger_key"):
    """What a host needs: its key pair, and the public key of those it lets in."""

    public: str
    secret: str
    client_public: str

    def __repr__(self) -> str:
        return "HostKeys(…)"


class ClientKeys(msgspec.Struct, frozen=True, tag="client", tag_field="flexlogger_key"):
    """What a client needs: its key pair, and the host's public key."""

    public: str
    secret: str
    host_public: str

    def __repr__(self) -> str:
        return "ClientKeys(…)"


def make_keys(name: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write a new pair of files, readable by their owner only; return their paths. An existing file is not touched.

    Raises ValueRefusedError where one of them is there.
    """
    base = Path(name)
    host_path, client_path = (base.with_name(f"{base.name}.{role}.key") for role in ("host", "client"))
    for path in (host_path, client_path):
        if path.exists():
            raise ValueRefusedError(f"keys: {path} is there already; choose another name or move it away")
    host, client = zmq.curve_keypair(), zmq.curve_keypair()
    _write(host_path, HostKeys(host[0].decode(), host[1].decode(), client[0].decode()))
    _write(client_path, ClientKeys(client[0].decode(), client[1].decode(), host[0].decode()))
    return host_path, client_path


def _write(path: Path, keys: HostKeys | ClientKeys) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(msgspec.to_builtins(keys), file, indent=1)
        file.write("\n")


def host_keys(path: str | os.PathLike[str]) -> HostKeys:
    """Read a host's key file. Raises ValueRefusedError where it is not one."""
    keys = _read(path)
    if not isinstance(keys, HostKeys):
        raise ValueRefusedError(f"keys: {path} is a client's key file; a host needs the one named *.host.key")
    return keys


def client_keys(path: str | os.PathLike[str]) -> ClientKeys:
    """Read a client's key file. Raises ValueRefusedError where it is not one."""
    keys = _read(path)
    if not isinstance(keys, ClientKeys):
        raise ValueRefusedError(f"keys: {path} is a host's key file; a client needs the one named *.client.key")
    return keys


def _read(path: str | os.PathLike[str]) -> HostKeys | ClientKeys:
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=HostKeys | ClientKeys)
    except OSError as error:
        raise ValueRefusedError(f"keys: {path} cannot be read ({error.strerror or error})") from error
    except msgspec.MsgspecError as error:
        raise ValueRefusedError(f"keys: {path} is not a key file; make a pair with: flexlogger keys NAME") from error
