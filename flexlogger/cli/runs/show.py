"""`flexlogger runs show`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from flexlogger.cli.common import JsonFlag
from flexlogger.cli.listing import as_json
from flexlogger.cli.progress import progress
from flexlogger.cli.runs.options import DirOption, RunArgument
from flexlogger.cli.runs.table import cell, size, span, when
from flexlogger.runs.examine import Examined, examine, log_bytes
from flexlogger.runs.find import FoundRun, base_dir, find_run
from flexlogger.runs.query import keys, lookup


def show(run: RunArgument, json: JsonFlag = False, dir: DirOption = None) -> None:
    """Show everything about a run: what it is, what it came to, its files and what is damaged in them."""
    found = find_run(run, base_dir(dir))
    with progress("reading", log_bytes(found.folder)) as advance:
        files = examine(found.folder, advance)
    if found.rebuilt:
        found = msgspec.structs.replace(found, card=_whole(found, files))
    again = f"flexlogger replay {shlex.quote(_spec(found, dir))}"
    if json:
        print(as_json(found.facts() | _plain(files) | {"rebuilt": found.rebuilt, "replay": again}))
    else:
        print("\n".join([*_identity(found), *_values(found), *_files(found, files), f"draw it again: {again}"]))


def _whole(found: FoundRun, files: Examined) -> Any:
    """The card as the whole log tells it, where there is no `run.json`."""
    known = found.card
    names = {key: getattr(known, key) for key in ("id", "project", "name", "start", "beat", "host", "env", "uid")}
    return msgspec.structs.replace(files.card, **names)


def _spec(found: FoundRun, dir: Path | None) -> str:
    """What names this run wherever one is."""
    return str(found.folder) if dir is not None else found.label


def _plain(files: Examined) -> dict[str, Any]:
    return {
        "segments": files.segments,
        "damage": files.damage,
        "bytes": {"log": files.log_bytes, "blobs": files.blob_bytes},
        "blobs": files.blobs,
    }


def _identity(found: FoundRun) -> Iterator[str]:
    card = found.card
    end = card.end or card.beat
    rebuilt = "; no readable run.json, made from the log" if found.rebuilt else ""
    facts = {
        "name": found.name if found.name != found.id else "",
        "status": found.status + rebuilt,
        "started": when(card.start),
        "ended" if card.end else "last seen": f"{when(end)} after {span(end - card.start)}" if end else "",
        "resumed": f"{card.resumed} ×" if card.resumed else "",
        "last step": card.last_step,
        "tags": card.tags or "",
        "notes": card.notes,
        "dashboard": card.url,
        "process": f"{card.pid} on {card.host}" if card.pid else card.host,
        "ranks": card.world if card.world > 1 else "",
        "python": " ".join(filter(None, [card.python, card.platform])),
        "libraries": ", ".join(f"{name} {version}" for name, version in card.libraries.items()),
        "git": _git(card.git),
        "command": shlex.join(card.command),
        "folder": str(found.folder),
    }
    yield found.label
    yield from (f"  {name:10} {cell(fact)}" for name, fact in facts.items() if fact not in ("", None))


def _git(git: dict[str, Any] | None) -> str:
    if not git:
        return ""
    changed = " with changes that were not committed" if git.get("dirty") else ""
    return f"{git.get('commit', '')} {git.get('branch') or ''}".strip() + changed


def _values(found: FoundRun) -> Iterator[str]:
    card = found.card
    for title, mapping in (("config", card.config), ("summary", card.summary)):
        names = list(keys(mapping))
        if names:
            yield title
            width = min(40, max(map(len, names)))
            yield from (f"  {name:{width}} {cell(lookup(mapping, name))}" for name in names)
    if card.artifacts:
        yield "artifacts"
        yield from (f"  {_artifact(artifact)}" for artifact in card.artifacts)


def _artifact(artifact: dict[str, Any]) -> str:
    aliases = ", ".join(map(str, artifact.get("aliases") or ()))
    verb = "used" if artifact.get("use") else "logged"
    named = f"{artifact.get('name')}:{artifact.get('version')}" + (f" ({aliases})" if aliases else "")
    return f"{verb} {named}, {artifact.get('type')}"


def _files(found: FoundRun, files: Examined) -> Iterator[str]:
    blobs = f", and {files.blobs} blobs of {size(files.blob_bytes)}" if files.blobs else ""
    yield f"log of {size(files.log_bytes)} in {len(files.segments)} segment{'s' * (len(files.segments) != 1)}{blobs}"
    for segment in files.segments:
        rank = f", rank {segment.rank}" if segment.rank else ""
        told = f"{segment.items} items, {size(segment.bytes)}{rank}, {segment.ended or 'no end'}"
        damage = f", damaged: {segment.damage}" if segment.damage else ""
        yield f"  {segment.file}: {segment.problem or told + damage}"
    for name, first in found.card.nonfinite.items():
        yield f"not finite: {name} was {first.get('value')} first at step {first.get('step')}"
    for reason, count in found.card.dropped.items():
        yield f"dropped: {count} records, {reason}"
