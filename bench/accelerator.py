"""Training on a GPU, with its losses logged as they are and statistics of all its layers."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

from bench.figures import Spread, at_most
from bench.results import Picture, Result, Table, Target
from bench.session import Rounds, Session

NAME = "accelerator"
MODEL = "gpt2"
EVERY = {"every step": 1, "every tenth": 10}
LIMITS = {"every step": 1.0, "every tenth": 0.2}

HOW = """\
A transformer like GPT-2 small (124 million parameters, 4 × 512 tokens) on one GPU. Each step's loss is given to `add`
as the tensor it is, and mean, std, norm, min and max of every parameter and gradient are logged, every step or every
tenth, to a dashboard on a real server. In one process there are two equal models; blocks of steps of the one that
nobody watches and of the one that is watched take turns, each waited for at its end, and what is added is told block
by block of the bare ones before and after it. *Waits* are those that torch itself reports (`set_sync_debug_mode`) in
steps of their own. Where the rounds scatter so much that they say neither yes nor no (sign test, 5 %), it is *not
shown* whether a target is reached."""
NOWHERE = "*No GPU was at hand: this was not measured.*"


def run(session: Session) -> Result:
    if not at_hand():
        return Result(NAME, "An accelerator", f"{HOW}\n\n{NOWHERE}", session.quick, targets=_unmeasured())
    return measured(session, MODEL, "cuda")


def at_hand() -> bool:
    """Whether the driver knows of a GPU; asking torch would take seconds, mostly to be told no."""
    return shutil.which("nvidia-smi") is not None and not subprocess.run(["nvidia-smi", "-L"]).returncode


def measured(session: Session, model: str, device: str) -> Result:
    """The result on one device."""
    found = {label: _measure(session, model, device, label) for label in EVERY}
    columns = ["", "bare step ms", "+ %", "waits"]
    rows = [[label, str(_of(r["bare"], "ms")), str(Spread.of(_added(r))), str(_waits(r))] for label, r in found.items()]
    picture = Picture("Added to a training step on a GPU", "% of a step", ["+ %"])
    table = Table("Parameters and gradients", columns, rows, picture=picture)
    return Result(NAME, "An accelerator", HOW, session.quick, [table], _targets(found))


def _measure(session: Session, model: str, device: str, label: str) -> Rounds:
    steps, rounds = session.pick((100, 12), (20, 2))
    found: Rounds = {"bare": [], "watched": [], "counted": []}
    with session.folder() as folder, session.server() as server:
        place = {"folder": str(folder), "port": server.port}
        with session.worker(
            "accelerated", {"model": model, "device": device, "every": EVERY[label], **place}
        ) as worker:
            for watched in (False, True):
                worker.round(watched=watched, steps=20)
            found["counted"].append(worker.round(watched=True, steps=20, counted=True))
            for turn in range(rounds):
                session.tell(f"{label}: round {turn + 1} of {rounds}")
                found["bare"].append(worker.round(watched=False, steps=steps))
                found["watched"].append(worker.round(watched=True, steps=steps))
            found["bare"].append(worker.round(watched=False, steps=steps))
    return found


def _of(rounds: list[dict[str, Any]], key: str) -> Spread:
    return Spread.of([r[key] for r in rounds])


def _added(found: Rounds) -> list[float]:
    """Percent that each watched block took longer than the bare ones around it."""
    bare = [r["ms"] for r in found["bare"]]
    return [100 * (r["ms"] / ((bare[i] + bare[i + 1]) / 2) - 1) for i, r in enumerate(found["watched"])]


def _waits(found: Rounds) -> int:
    return sum(int(r["waits"]) for r in found["counted"])


def _targets(found: dict[str, Rounds]) -> list[Target]:
    targets = []
    for label, rounds in found.items():
        added, waits = _added(rounds), _waits(rounds)
        targets.append(Target(f"{label}: waits for the device", "0", str(waits), waits == 0))
        limit = LIMITS[label]
        targets.append(Target(f"{label}: added", f"≤ {limit:g} %", f"{Spread.of(added)} %", at_most(added, limit)))
    return targets


def _unmeasured() -> list[Target]:
    return [
        target
        for label, limit in LIMITS.items()
        for target in (
            Target(f"{label}: waits for the device", "0", "no GPU", None),
            Target(f"{label}: added", f"≤ {limit:g} %", "no GPU", None),
        )
    ]
