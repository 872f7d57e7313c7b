"""How cost grows with the number of steps, until the last point is on the dashboard."""

from __future__ import annotations

import json
import time
import urllib.request
from contextlib import ExitStack
from typing import Any, NamedTuple

from bench.driver import Worker
from bench.figures import Spread, exponent, ratios, short
from bench.process import cpu_seconds
from bench.results import Picture, Result, Table, Target
from bench.session import Session
from flexlogger.server.process import ServerProcess
from flexlogger.sinks.visdom import window_id

NAME = "growth"
WARM_UP = 20
COMPARED, APPENDED = 4000, 1000
"""Steps of ours that are compared, and of visdom's append: it needs a quarter of an hour for as many, and more CPU."""

HOW = """\
Five traces in one window, logged as fast as the loop goes, in a fresh process with a fresh server each time, sizes in
turns. A few steps come first, so that imports and the first connection do not count. CPU is that of all threads, to the
nanosecond, from the first step until the window on the server shows the last one; that it does is checked by asking
the server. Memory is the peak of the client's RSS over what it had before. How long the last point takes to show is
measured in runs of its own, by asking the server every 20 ms (which costs it more than the drawing does)."""

Costs = dict[int, list[dict[str, float]]]


class Case(NamedTuple):
    """A contender, which is a module, and how many steps it logs."""

    kind: str
    steps: int


def run(session: Session) -> Result:
    sizes = session.pick((1000, COMPARED, 10_000, 100_000, 1_000_000), (10_000, 100_000))
    cases = [Case("ours", size) for size in sizes] * session.pick(3, 1)
    cases += [Case("visdom_append", size) for size in session.pick((250, 500, APPENDED), (50,))]
    found: dict[str, Costs] = {"ours": {}, "visdom_append": {}}
    for group in [cases] if session.quick else [[case] for case in cases]:  # of a quick run all get ready at once
        with ExitStack() as stack:
            places = [_start(session, stack, case.kind) for case in group]
            for case, (server, worker) in zip(group, places, strict=True):
                session.tell(f"{case.kind}, {case.steps:,} steps")
                with worker:
                    found[case.kind].setdefault(case.steps, []).append(_cost(server, worker, case))
    ours, visdom = found.values()
    delays = _delays(session)
    return Result(
        NAME,
        "Growth",
        HOW,
        session.quick,
        [_table({"flexlogger": ours, "visdom line append (its own client)": visdom}), _delay_table(delays)],
        _targets(ours, visdom, delays),
    )


def _start(session: Session, stack: ExitStack, kind: str) -> tuple[ServerProcess, Worker]:
    folder, server = stack.enter_context(session.folder()), stack.enter_context(session.server())
    options = {"kind": kind, "folder": str(folder), "port": server.port}
    return server, session.worker("growing", options, peer=kind != "ours")


def _cost(server: ServerProcess, worker: Worker, case: Case) -> dict[str, float]:
    worker.round(steps=WARM_UP)
    before = cpu_seconds(server.pid)
    found = worker.round(steps=case.steps)
    spent = cpu_seconds(server.pid) - before
    shown = _last_shown(server, case.kind)
    if shown != WARM_UP + case.steps - 1:
        raise RuntimeError(f"{case.kind}: the window ends at {shown}, not at {WARM_UP + case.steps - 1}")
    return {
        "client": found["cpu"],
        "server": spent,
        "total": found["cpu"] + spent,
        "grown": found["grown"],
        "dropped": found.get("dropped", 0),
    }


def _last_shown(server: ServerProcess, kind: str) -> float:
    """The last x of the shortest line in the window; -1 where there is no such window."""
    win = window_id("bench", "bench", "scalars") if kind == "ours" else "scalars"
    body = json.dumps({"eid": "bench", "win": win}).encode()
    request = urllib.request.Request(f"{server.url}/win_data", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        window: Any = json.loads(answer.read())
    if not isinstance(window, dict):
        return -1
    return min(float(trace["x"][-1]) for trace in window["content"]["data"])


def _delays(session: Session) -> dict[str, list[float]]:
    """Seconds until the last of so many steps shows, logged as fast as the loop goes."""
    found: dict[str, list[float]] = {}
    for size in session.pick((1000, 100_000, 1_000_000), (100_000,)):
        for _ in range(session.pick(5, 1)):
            session.tell(f"the last of {size:,} steps shows")
            with ExitStack() as stack:
                server, worker = _start(session, stack, "ours")
                stack.enter_context(worker)
                worker.round(steps=WARM_UP)
                found.setdefault(f"{size:,}", []).append(_delay(worker, server, size))
    return found


def _delay(worker: Worker, server: ServerProcess, size: int) -> float:
    logged_at = worker.round(steps=size, settle=False)["logged_at"]
    while _last_shown(server, "ours") != WARM_UP + size - 1:
        if time.time() - logged_at > 60:
            raise RuntimeError("the last point does not show within a minute")
        time.sleep(0.02)
    return time.time() - float(logged_at)


# ---- tables


def _column(costs: list[dict[str, float]], key: str) -> list[float]:
    return [cost[key] for cost in costs]


def _table(found: dict[str, Costs]) -> Table:
    columns = ["", "steps", "client CPU s", "server CPU s", "CPU s", "CPU µs per step", "memory grown MB", "dropped"]
    picture = Picture("CPU of client and server, five traces", "CPU seconds", ["CPU s"], over="steps")
    rows = [_row(name, size, rounds) for name, costs in found.items() for size, rounds in costs.items()]
    return Table("Until all is shown", columns, rows, picture=picture)


def _row(name: str, size: int, rounds: list[dict[str, float]]) -> list[str]:
    spreads = [str(Spread.of(_column(rounds, key))) for key in ("client", "server", "total")]
    each = str(Spread.of([cost["total"] / size * 1e6 for cost in rounds]))
    dropped = f"{sum(_column(rounds, 'dropped')):.0f}"
    return [name, f"{size:,}", *spreads, each, str(Spread.of(_column(rounds, "grown"))), dropped]


def _delay_table(delays: dict[str, list[float]]) -> Table:
    rows = [[size, str(Spread.of(seconds))] for size, seconds in delays.items()]
    picture = Picture("How long after its log the last of so many steps shows", "seconds", ["seconds after log"])
    return Table("Until the last point shows", ["steps", "seconds after log"], rows, picture=picture)


# ---- targets


def _targets(ours: Costs, visdom: Costs, delays: dict[str, list[float]]) -> list[Target]:
    fitted = {size: Spread.of(_column(rounds, "total")).middle for size, rounds in ours.items() if size >= 10_000}
    slope = exponent(fitted)
    slowest = max(second for seconds in delays.values() for second in seconds)
    targets = [
        Target(
            f"exponent of CPU over steps, {min(fitted):,} to {max(fitted):,}",
            "≤ 1.05",
            f"{slope:.2f}",
            slope <= 1.05 if max(fitted) >= 1_000_000 else None,  # less is mostly the filling of queues and caches
        ),
        _beside_visdom(ours, visdom),
        Target("last point visible after log", "≤ 2 s", f"{slowest:.2f} s at worst", slowest <= 2),
    ]
    if {100_000, 1_000_000} <= ours.keys():
        times = ratios(_column(ours[1_000_000], "total"), _column(ours[100_000], "total"))
        targets.append(Target("CPU of 1M steps beside 100k", "≤ 11 ×", f"{times} ×", times.middle <= 11))
    largest = max(ours)
    grown = Spread.of(_column(ours[largest], "grown"))
    targets.append(Target(f"memory grown by {largest:,} steps", "< 60 MB", f"{grown} MB", grown.high < 60))
    return targets


def _beside_visdom(ours: Costs, visdom: Costs) -> Target:
    what = f"CPU of {COMPARED:,} steps: of only {APPENDED:,} of visdom's append beside it"
    if APPENDED not in visdom or COMPARED not in ours:
        return Target(what, "≥ 100 ×", "–", None)
    times = visdom[APPENDED][0]["total"] / Spread.of(_column(ours[COMPARED], "total")).middle
    return Target(what, "≥ 100 ×", f"{short(times)} ×", times >= 100)
