"""An npm of the tests' own, with two small packages, so that nothing leaves the machine."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

NPM = """#!/bin/sh
# pack --silent --ignore-scripts --pack-destination FOLDER name@version
if [ -n "$NPM_FAILS" ]; then echo "npm error $NPM_FAILS" >&2; exit 1; fi
cp "{packages}/$6.tgz" "$5/packed.tgz"
"""


def packed(files: dict[str, bytes]) -> bytes:
    """Return a tarball as npm makes them."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return raw.getvalue()


def integrity(tarball: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()


def make_registry(folder: Path) -> tuple[Path, str]:
    """Put the packages into `folder`; return the folder of the npm that packs them, and a lock that asks for them."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "npm").write_text(NPM.format(packages=folder))
    (programs / "npm").chmod(0o755)
    one = packed({"one.js": b"1", "LICENSE": b"MIT", "unwanted.js": b"x"})
    two = packed({"fonts/a/b.js": b"b", "fonts/c.js": b"c"})
    (folder / "one@1.0.0.tgz").write_bytes(one)
    (folder / "two@2.0.0.tgz").write_bytes(two)
    lock: dict[str, Any] = {
        "one@1.0.0": {"integrity": integrity(one), "files": {"one.js": "js/1.js", "LICENSE": "licenses/one.txt"}},
        "two@2.0.0": {"integrity": integrity(two), "files": {"fonts/**": "fonts/"}},
    }
    return programs, json.dumps(lock)
