"""What statistics of a model's layers add to its training steps, beside what other tools add."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from statistics import mean, median
from typing import Any, NamedTuple

from bench.driver import WorkerError
from bench.figures import Spread, short
from bench.results import Plot, Result, Table, Target
from bench.session import Rounds, Session

NAME = "model_statistics"
EACH, TENTH = "parameters and gradients, every step", "parameters and gradients, every tenth"
COLLECTED = f"{EACH}, nobody wants them"
ALL_TENTH, IDLE, BUDGET = "everything, every tenth", "idle", "everything, budget: 1%"
NEVER = 10**9
OURS: dict[str, dict[str, Any]] = {
    EACH: {"what": "parameters", "when": {"every": 1}},
    COLLECTED: {"what": "parameters", "when": {"every": 1}, "logged": False},
    TENTH: {"what": "parameters", "when": {"every": 10}},
    ALL_TENTH: {"what": "everything", "when": {"every": 10}},
    IDLE: {"what": "everything", "when": {"every": NEVER}},
    BUDGET: {"what": "everything", "when": {"budget": "1%"}},
}
ELSEWHERE = f"{EACH}, drawn by another process"
IN_MLP100 = {ELSEWHERE: {"what": "parameters", "when": {"every": 1}, "pipe": "process"}}
"""Where a step is short enough for the drawing to be felt."""
PEERS = {
    "wandb.watch, everything": "twins_wandb",
    "Ignite's weights and gradients (norms)": "twins_ignite",
    "Lightning's grad_norm": "twins_lightning",
    "torchinstruments": "twins_torchinstruments",
}
LIMITS = {
    EACH: {"conv8": 2.0, "mlp100": 15.0, "gpt10m": 2.0},
    COLLECTED: {"conv8": 2.0, "mlp100": 15.0, "gpt10m": 2.0},
    TENTH: {"conv8": 0.3, "mlp100": 3.0, "gpt10m": 0.3},
    ALL_TENTH: {"conv8": 3.0, "mlp100": 15.0, "gpt10m": 1.0},
}


class Size(NamedTuple):
    """How long one model is measured: rounds, steps of a bare block, of a watched one, and of all that a budget is
    given. A dashboard is drawn every five seconds, so blocks of fast steps are long."""

    rounds: int
    bare: int
    steps: int
    budget: int


SIZES = {
    "conv8": Size(5, 20, 20, 240),
    "mlp100": Size(8, 150, 600, 4000),
    "gpt10m": Size(5, 10, 10, 100),
    "gpt2small": Size(2, 10, 10, 40),
}
LARGEST, LARGEST_OURS = "gpt2small", (EACH, ALL_TENTH, BUDGET)
"""A step of this one takes seconds: only what tells most is measured."""
QUICK = {"mlp100": Size(2, 20, 20, 300)}
QUICK_OURS, QUICK_PEERS = (EACH, ALL_TENTH), ("twins_lightning", "twins_wandb")
PEER_ROUNDS = 2
LONGEST_S, PEERS_LONGEST_S = 30.0, 5.0
"""A block that takes longer than this ends early."""

HOW = """\
Four models on one thread: eight convolutions with batch norm and ReLU (conv8, batch 32 of 32 × 32), a hundred linear
layers of 64 with ReLU (mlp100, batch 64), a transformer of 10.9 million parameters (gpt10m, 512 tokens) and one of 124
million, like GPT-2 small (gpt2small, 64 tokens). In each process there are two equal models, and blocks of steps of
the one that nobody watches and of the one that is watched take turns. What is added is told of the median over the
rounds for each place in the period, averaged over the period, relative to the bare steps before and after the block.
flexlogger's numbers (mean, std, norm, min and max of every parameter and gradient; *everything*: of inputs, outputs and
their gradients too) go through a run's log to a dashboard on a real server, and the numbers of the others where they
write them; *nobody wants them* is collecting alone. *By the clock* is the mean over all steps, with whatever the
logger's threads and the machine did meanwhile. Other tools run as often as they are called, which is every step.
Of a budget it is counted what the steps that were due took longer than the others, with the step behind each. *Own
ms* is what the training thread spends in flexlogger when a step is due, by its own clock (of the last round). *One pass
over memory* reads as many numbers as there are parameters and gradients, in one piece, once, while the caches hold
something else, and looks for the largest: about what the least of all looks at them would cost."""


def run(session: Session) -> Result:
    sizes: Mapping[str, Size] = QUICK if session.quick else SIZES
    found: dict[str, dict[str, Rounds]] = {}
    for model, size in sizes.items():
        found[model] = {}
        for label, options in _asked(session.quick, model).items():
            try:
                found[model][label] = _measure(session, model, label, size, options)
            except WorkerError as error:
                session.problems.append(f"{model}: {str(error).splitlines()[0]}")
    tables = [_table(model, rounds) for model, rounds in found.items()]
    return Result(NAME, "Model statistics", HOW, session.quick, tables, _targets(found), [_plot(found)])


def _asked(quick: bool, model: str) -> dict[str, dict[str, Any]]:
    """The contenders by label, each with its module and options."""
    options = OURS | IN_MLP100 if model == "mlp100" else OURS
    ours = {label: {"contender": "twins_ours", **asked} for label, asked in options.items()}
    peers = {label: {"contender": module} for label, module in PEERS.items()}
    if model == LARGEST:
        return {label: ours[label] for label in LARGEST_OURS}
    both = {**ours, **peers}
    wanted = (*QUICK_OURS, *QUICK_PEERS)
    return {k: v for k, v in both.items() if not quick or k in wanted or v["contender"] in wanted}


def _measure(session: Session, model: str, label: str, size: Size, asked: dict[str, Any]) -> Rounds:
    """Blocks of bare and watched steps in turns."""
    options = {key: value for key, value in asked.items() if key != "contender"}
    ours = asked["contender"] == "twins_ours"
    found: Rounds = {"bare": [], "watched": []}
    with session.folder() as folder, session.server() as server:
        place = {"port": server.port} if ours else {}
        worker = session.worker(
            asked["contender"], {"model": model, "folder": str(folder), **place, **options}, peer=not ours
        )
        with worker:
            rounds, steps = (size.rounds, size.steps) if label != BUDGET else (4, size.budget // 4)
            rounds, longest = (rounds, LONGEST_S) if ours else (min(rounds, PEER_ROUNDS), PEERS_LONGEST_S)
            for watched in (False, True):
                worker.round(watched=watched, steps=2, seconds=longest)
            for turn in range(rounds):
                session.tell(f"{model}, {label}: round {turn + 1} of {rounds}")
                found["bare"].append(worker.round(watched=False, steps=size.bare, seconds=longest))
                found["watched"].append(worker.round(watched=True, steps=steps, seconds=longest * 2))
            found["bare"].append(worker.round(watched=False, steps=size.bare, seconds=longest))
    return found


# ---- figures


def _relative(rounds: Rounds) -> list[list[float]]:
    """The steps of each watched block relative to the bare ones around it."""
    bare = [median(r["times"]) for r in rounds["bare"]]
    around = [(before + after) / 2 for before, after in pairwise(bare)]
    return [[t / base for t in r["times"]] for r, base in zip(rounds["watched"], around, strict=True)]


def _added(rounds: Rounds) -> Spread:
    """Percent added to a step: lowest round, all together, highest round."""
    periods = [_by_place(times, r) for times, r in zip(_relative(rounds), rounds["watched"], strict=True)]
    together: dict[int, list[float]] = defaultdict(list)
    for period in periods:
        for place, times in period.items():
            together[place] += times
    each = [_percent(period) for period in periods]
    return Spread(min(each), _percent(together), max(each))


def _by_the_clock(rounds: Rounds) -> float:
    """Percent that whole blocks took longer, with everything that happened meanwhile."""
    relative = _relative(rounds)
    return (sum(map(sum, relative)) / sum(map(len, relative)) - 1) * 100


def _by_place(times: list[float], measured: dict[str, Any]) -> dict[int, list[float]]:
    """Steps by their place in the period, of which the step that is due is the first."""
    due = measured["due"]
    period = measured.get("every", 1) if any(due) else 1
    places: dict[int, list[float]] = defaultdict(list)
    for at, time in enumerate(times):
        places[(at - due.index(True)) % period if any(due) else 0].append(time)
    return places


def _percent(places: Mapping[int, list[float]]) -> float:
    return (mean(median(times) for times in places.values()) - 1) * 100


def _share(rounds: Rounds) -> float:
    """Percent of training time that steps which were due, and those behind them, took longer than the others."""
    longer = total = 0.0
    for times, r in zip(_relative(rounds), rounds["watched"], strict=True):
        near = [now or before for now, before in zip(r["due"], [False, *r["due"]], strict=False)]
        idle = median([t for t, skip in zip(times, near, strict=True) if not skip] or [1.0])
        longer += sum(t - idle for t, is_near in zip(times, near, strict=True) if is_near)
        total += sum(times)
    return longer / (total - longer) * 100


def _table(model: str, found: dict[str, Rounds]) -> Table:
    rows = []
    for label, rounds in found.items():
        bare = Spread.of([median(r["times"]) for r in rounds["bare"]])
        due = [
            t
            for times, r in zip(_relative(rounds), rounds["watched"], strict=True)
            for t, d in zip(times, r["due"], strict=True)
            if d
        ]
        last = rounds["watched"][-1]
        added = f"{_share(rounds):.2f} (1 step in {last['every']:,})" if label == BUDGET else str(_added(rounds))
        wall = short(_by_the_clock(rounds)) if label != BUDGET else ""
        own = _own(last["cost_ms"], bare.middle) if "cost_ms" in last and label != IDLE else ""
        at_due = short((median(due) - 1) * 100) if due and label not in (IDLE, BUDGET) else ""
        rows.append([label, str(bare), at_due, added, wall, own])
        if label == EACH:
            rows.append(["one pass over memory", "", "", "", "", _own(last["pass_ms"], bare.middle)])
    columns = [
        "",
        "bare step ms",
        "+ % of a step that is due",
        "+ % on average",
        "+ % by the clock",
        "own ms (% of a step)",
    ]
    return Table(model, columns, rows)


def _own(ms: float, bare: float) -> str:
    return f"{short(ms)} ({short(ms / bare * 100)})"


# ---- targets


def _targets(found: dict[str, dict[str, Rounds]]) -> list[Target]:
    targets = []
    for label, limits in LIMITS.items():
        for model, limit in limits.items():
            if label in found.get(model, {}):
                added = _added(found[model][label])
                targets.append(Target(f"{model}: {label}", f"≤ {limit:g} %", f"{added} %", added.middle <= limit))
    for model, rounds in found.items():
        if IDLE in rounds:
            idle = _added(rounds[IDLE])
            targets.append(Target(f"{model}: idle", "not measurable", f"{idle} %", idle.low <= 0 or idle.middle < 0.5))
        if BUDGET in rounds:
            share = _share(rounds[BUDGET])
            targets.append(Target(f"{model}: budget of 1 %", "1 % ± 0.5", f"{share:.2f} %", 0.5 <= share <= 1.5))
    return targets


def _plot(found: dict[str, dict[str, Rounds]]) -> Plot:
    labels = (EACH, *PEERS)
    series = {
        model: {label: max(0.01, _added(rounds[label]).middle) for label in labels if label in rounds}
        for model, rounds in found.items()
    }
    return Plot("bench-model-statistics.png", "bars", "Statistics every step", "% added to a training step", series)
