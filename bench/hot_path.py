"""Five scalars, `add` and `log` every step: what that costs the training thread, beside a bare loop and peers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from bench import stand_ins
from bench.driver import Worker
from bench.figures import Spread, ratios, short
from bench.results import Picture, Result, Table, Target
from bench.session import Rounds, Session

NAME = "hot_path"
PEERS = {
    "Lightning CSVLogger": "lightning_csv",
    "trackio": "trackio_local",
    "wandb (offline)": "wandb_offline",
    "TensorBoard SummaryWriter": "tensorboard",
    "MLflow (SQLite)": "mlflow_sqlite",
    "Ignite VisdomLogger": "ignite_visdom",
    "visdom line append": "visdom_append",
    "torchnet VisdomPlotLogger": "torchnet_plot",
}
ON_VISDOM = ("ignite_visdom", "visdom_append", "torchnet_plot")
QUICK_PEERS = ("lightning_csv", "trackio_local")
RATE = 2000
MOST = 100_000
"""Steps of a round of the tight loop."""
BARE, OURS = "bare loop", "flexlogger"

HOW = """\
Five scalars, `add` and `log` every step, on a thread that does nothing else. Each contender is a process of its own,
and they measure in turns (A B C A B C …), so that all see the same machine; a round ends when what it began in the
background has ended. Every call is timed with one clock; what the clock and an empty call cost is taken off. *Bare
loop*: five additions into plain Python objects, one dict of the totals, one `deque.append`: what logging cannot do
without. flexlogger and the three visdom loggers draw on a real dashboard server each; TensorBoard, wandb, trackio,
MLflow and CSVLogger write files on this disk, and draw nothing. Figures are the lowest – middle – highest of the
rounds; ratios are taken round by round. Rounds of the tight loop are short and many, since the machine changes its
speed within seconds; a paced one takes 20 seconds, of peers 5. Targets are judged by the middle."""


def run(session: Session) -> Result:
    result = Result(NAME, "The hot path", HOW, session.quick)
    tight, paced = _beside_peers(session)
    result.tables.append(_table("Tight loop", tight))
    result.tables.append(_table(f"Paced at {RATE:,} logs a second", paced, PACED_NOTE))
    servers = dict(zip(("tight", "paced"), _whatever_the_server_does(session), strict=True))
    result.tables.append(_server_table(servers))
    result.targets = [*_targets("tight", tight, 2.5, None), *_targets("paced", paced, 2.5, 10.0)]
    result.targets += [target for how, found in servers.items() for target in _server_targets(how, found)]
    for table, how in zip(
        result.tables, ("a tight loop", "2,000 logs a second", "its server up and down"), strict=True
    ):
        title = f"add + log of five scalars, {how}: time on the training thread"
        table.picture = Picture(title, "µs", ["median µs", "p99 µs"])
    return result


PACED_NOTE = (
    "Between two logs the thread sleeps, as one does that waits for torch; caches are cold after it, for all. "
    "flexlogger feeds all its views: the dashboard, the terminal (to /dev/null) and memory. Contenders that are slower "
    "than the pace do what they can."
)


def _beside_peers(session: Session) -> tuple[Rounds, Rounds]:
    with ExitStack() as stack:
        own = session.worker("bare", {}), _ours(session, stack), _ours(session, stack, views="all")
        started = _peers(session, stack)
        bare, ours, all_views = (stack.enter_context(worker) for worker in own)
        peers = session.ready(stack, started)
        tight = _tight(session, {BARE: bare, OURS: ours, **peers})
        ours.close()
        return tight, _paced(session, {BARE: bare, OURS: all_views, **peers})


def _tight(session: Session, workers: Mapping[str, Worker]) -> Rounds:
    seconds, rounds = session.pick((0.8, 15), (0.3, 2))
    requests = dict.fromkeys(workers, [{"pace": 0, "seconds": seconds, "most": MOST}] * rounds)
    return session.interleave(workers, requests)


def _paced(session: Session, workers: Mapping[str, Worker]) -> Rounds:
    long, brief = session.pick((20.0, 5.0), (1.0, 0.4))  # three long rounds are the minute
    requests = {
        name: [{"pace": RATE, "seconds": long if name in (BARE, OURS) else brief, "most": 0}] * session.pick(3, 1)
        for name in workers
    }
    return session.interleave(workers, requests)


def _ours(session: Session, stack: ExitStack, port: int | None = None, **options: Any) -> Worker:
    folder = stack.enter_context(session.folder())
    if port is None:
        port = stack.enter_context(session.server()).port
    return session.worker("ours", {"folder": str(folder), "port": port, **options})


def _peers(session: Session, stack: ExitStack) -> dict[str, Worker]:
    workers = {}
    for label, module in PEERS.items():
        if session.quick and module not in QUICK_PEERS:
            continue
        port = stack.enter_context(session.server()).port if module in ON_VISDOM else 0
        options = {"folder": str(stack.enter_context(session.folder())), "port": port}
        workers[label] = session.worker(module, options, peer=True)
    return workers


def _whatever_the_server_does(session: Session) -> tuple[Rounds, Rounds]:
    """Tight and paced: ours with a server that is up, dead, mute and slow; each starts with its dashboard so."""
    with ExitStack() as stack:
        places = {
            "up": None,
            **{kind.__name__: stack.enter_context(kind()) for kind in STAND_INS[: session.pick(3, 2)]},
        }
        patience = session.pick(1.0, 0.6)
        started = {name: _ours(session, stack, port, patience=patience) for name, port in places.items()}
        workers = {name: stack.enter_context(worker) for name, worker in started.items()}
        seconds, rounds = session.pick((0.8, 21), (0.3, 1))
        loop = {"pace": 0, "seconds": seconds, "most": MOST}
        tight = session.interleave(workers, dict.fromkeys(workers, [loop] * rounds))
        pace = {"pace": RATE, "seconds": 3.0, "most": 0}
        paced = {} if session.quick else session.interleave(workers, dict.fromkeys(workers, [pace] * 11))
    return tight, paced


STAND_INS = (stand_ins.dead, stand_ins.mute, stand_ins.slow)


# ---- tables


def _table(title: str, found: Rounds, note: str = "") -> Table:
    columns = ["", "median µs", "× bare", "p99 µs", "p99.9 µs", "steps/s", "steps", "dropped"]
    rows = [_row(name, rounds, found[BARE]) for name, rounds in found.items()]
    return Table(title, columns, rows, note)


def _row(name: str, rounds: list[dict[str, Any]], bare: list[dict[str, Any]]) -> list[str]:
    times = ratios(_column(rounds, "median"), _column(bare[: len(rounds)], "median"))
    figures = [str(Spread.of(_column(rounds, key))) for key in ("median", "p99", "p999")]
    speed = short(Spread.of(_column(rounds, "per_second")).middle)
    steps = f"{sum(int(r['steps']) for r in rounds):,}"
    dropped = str(rounds[-1]["dropped"]) if "dropped" in rounds[-1] else ""
    return [name, figures[0], str(times), figures[1], figures[2], speed, steps, dropped]


def _server_table(servers: Mapping[str, Rounds]) -> Table:
    columns = ["server", "median µs", "× up", "p99 µs", "p99.9 µs", "steps/s", "steps", "dropped"]
    rows = [
        _row(f"{name}, {how}", rounds, found["up"]) for how, found in servers.items() for name, rounds in found.items()
    ]
    return Table(
        "Whatever the server does",
        columns,
        rows,
        "flexlogger with its dashboard server up, dead (nobody listens), mute (accepts, never answers) and slow "
        "(200 ms for each answer), from the start of the run.",
    )


def _column(rounds: list[dict[str, Any]], key: str) -> list[float]:
    return [float(r[key]) for r in rounds]


# ---- targets


def _targets(how: str, found: Rounds, times_bare: float, times_p99: float | None) -> list[Target]:
    ours, bare = found[OURS], found[BARE]
    beside_bare = ratios(_column(ours, "median"), _column(bare, "median"))
    targets = [
        Target(
            f"{how}: median beside the bare loop",
            f"≤ {times_bare:g} ×",
            f"{beside_bare} ×",
            beside_bare.middle <= times_bare,
        )
    ]
    if times_p99 is not None:
        tail = ratios(_column(ours, "p99"), _column(bare, "p99"))
        targets.append(
            Target(f"{how}: p99 beside the bare loop's", f"≤ {times_p99:g} ×", f"{tail} ×", tail.middle <= times_p99)
        )
    peers = {name: rounds for name, rounds in found.items() if name not in (BARE, OURS)}
    if peers:
        targets += [_beside_best(how, "median", 1.0, ours, peers), _beside_best(how, "p99", 0.5, ours, peers)]
    return targets


def _beside_best(how: str, figure: str, limit: float, ours: list[dict[str, Any]], peers: Rounds) -> Target:
    middles = {name: Spread.of(_column(rounds, figure)).middle for name, rounds in peers.items()}
    best = min(middles, key=middles.__getitem__)
    mine = Spread.of(_column(ours, figure)).middle
    return Target(
        f"{how}: {figure} beside the best peer's ({best})",
        f"≤ {limit:g} × {short(middles[best])} µs",
        f"{short(mine)} µs ({short(mine / middles[best])} ×)",
        mine <= limit * middles[best],
    )


def _server_targets(how: str, found: Rounds) -> list[Target]:
    targets = []
    for name in (kind.__name__ for kind in STAND_INS if kind.__name__ in found):
        beside = ratios(_column(found[name], "median"), _column(found["up"], "median"))
        what = f"{how}: median with the server {name}, beside up"
        targets.append(Target(what, "≤ 1.1 ×", f"{beside} ×", beside.middle <= 1.1))
    return targets
