"""What statistics of a model's layers add to its training steps, beside what other tools add."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from statistics import median
from typing import Any, NamedTuple

from bench.driver import Worker, WorkerError
from bench.figures import Spread, at_most, short
from bench.model_figures import added_by, beside_bare, by_the_clock, longer_when_due, share_added
from bench.results import Picture, Result, Table, Target
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
    """How long one model is measured: rounds, steps of a bare block, of a watched one, of all that are looked at every
    tenth (None: blocks of these too), and of all that a budget is given.

    A machine changes its speed within seconds, so blocks of slow steps are short and many. A dashboard is drawn every
    ten seconds, so blocks of fast steps are long.
    """

    rounds: int
    bare: int
    steps: int
    tenth: int | None
    budget: int


SIZES = {
    "conv8": Size(25, 4, 4, 300, 600),
    "mlp100": Size(8, 100, 800, None, 4000),
    "gpt10m": Size(20, 3, 3, 150, 300),
    "gpt2small": Size(4, 2, 2, 30, 40),
}
LARGEST, LARGEST_OURS = "gpt2small", (EACH, ALL_TENTH, BUDGET)
"""A step of this one takes seconds: only what tells most is measured."""
QUICK = {"mlp100": Size(2, 20, 20, None, 300)}
QUICK_ASKED = (EACH, "Lightning's grad_norm")
PEER_ROUNDS = 3
PARTS = 5
"""In which a long run is measured, between which the log and the dashboard come to rest."""
TOLD = 5
"""Steps that are due, which tell what a budget spends; fewer tell nothing."""
LONGEST_S, PEERS_LONGEST_S = 30.0, 5.0
"""A block that takes longer than this ends early."""

HOW = """\
Four models on one thread: eight convolutions with batch norm and ReLU (conv8, batch 32 of 32 × 32), a hundred linear
layers of 64 with ReLU (mlp100, batch 64), a transformer of 10.9 million parameters (gpt10m, 512 tokens) and one of 124
million, like GPT-2 small (gpt2small, 64 tokens), without other tools. In each process there are two equal models, and
blocks of steps of the one that nobody watches and of the one that is watched take turns. What is added is told, round
by round, of the median of a block for each place in the period, averaged over the period, relative to the bare blocks
before and after it; of more than five rounds the lowest and the highest figure are those of the middle half. Where
steps are long, what is added *every tenth* step and under a *budget* is told of each step that is due and the one
behind it, relative to the four steps without collecting on either side: the machine changes its speed within seconds.
flexlogger's numbers (mean, std, norm, min and max of every parameter and gradient; *everything*: of inputs, outputs
and their gradients too) go through a run's log to a dashboard on a real server, and the numbers of the others where
they write them; *nobody wants them* is collecting alone. *By the clock* is the mean over all steps, with whatever the
logger's threads and the machine did meanwhile. Other tools run as often as they are called, which is every step. *Own
account* is what flexlogger itself says that a step which is due costs (`status()`): the time in its own code on the
training thread, and how much longer such steps are than others beyond that, as far as that is known. *One pass over
memory* reads as many numbers as there are parameters and gradients, in one piece, once, while the caches hold
something else, and looks for the largest: about what the least of all looks at them would cost. Where the rounds
scatter so much that they say neither yes nor no (sign test, 5 %), it is *not shown* whether a target is reached."""


def run(session: Session) -> Result:
    sizes: Mapping[str, Size] = QUICK if session.quick else SIZES
    found: dict[str, dict[str, Rounds]] = {}
    for model, size in sizes.items():
        found[model] = {}
        for group in _groups(session.quick, _asked(session.quick, model)):
            with ExitStack() as stack:
                started = {label: _start(session, stack, model, asked) for label, asked in group.items()}
                for label, worker in session.ready(stack, started).items():
                    try:
                        found[model][label] = _measure(session, worker, model, size, label)
                    except WorkerError as error:
                        session.problems.append(f"{model}, {label}: {str(error).splitlines()[0]}")
    tables = [_table(model, sizes[model], rounds) for model, rounds in found.items()]
    return Result(NAME, "Model statistics", HOW, session.quick, tables, _targets(sizes, found))


Asked = dict[str, dict[str, Any]]


def _asked(quick: bool, model: str) -> Asked:
    """The contenders by label, each with its module and options."""
    options = OURS | IN_MLP100 if model == "mlp100" else OURS
    ours = {label: {"contender": "twins_ours", **asked} for label, asked in options.items()}
    peers = {label: {"contender": module} for label, module in PEERS.items()}
    if model == LARGEST:
        return {label: ours[label] for label in LARGEST_OURS}
    both = {**ours, **peers}
    return {label: both[label] for label in QUICK_ASKED} if quick else both


def _groups(quick: bool, asked: Asked) -> list[Asked]:
    """Those that get ready at once: all of a quick run; else each alone, for models and what watches them are large."""
    return [asked] if quick else [{label: options} for label, options in asked.items()]


def _start(session: Session, stack: ExitStack, model: str, asked: dict[str, Any]) -> Worker:
    ours = asked["contender"] == "twins_ours"
    options = {key: value for key, value in asked.items() if key != "contender"}
    options |= {"model": model, "folder": str(stack.enter_context(session.folder()))}
    if ours:
        options["port"] = stack.enter_context(session.server()).port
    return session.worker(asked["contender"], options, peer=not ours)


def _measure(session: Session, worker: Worker, model: str, size: Size, label: str) -> Rounds:
    """Blocks of bare and watched steps in turns."""
    found: Rounds = {"bare": [], "watched": []}
    alone = _alone(label, size)
    rounds, steps = (PARTS, alone // PARTS) if alone else (size.rounds, size.steps)
    rounds, longest = (min(rounds, PEER_ROUNDS), PEERS_LONGEST_S) if label in PEERS else (rounds, LONGEST_S)
    for watched in (False, True):
        worker.round(watched=watched, steps=2, seconds=longest)
    for turn in range(rounds):
        session.tell(f"{model}, {label}: round {turn + 1} of {rounds}")
        found["bare"].append(worker.round(watched=False, steps=size.bare, seconds=longest))
        found["watched"].append(worker.round(watched=True, steps=steps, seconds=longest * 2))
    found["bare"].append(worker.round(watched=False, steps=size.bare, seconds=longest))
    return found


def _alone(label: str, size: Size) -> int | None:
    """The steps of a run in which those that are due are set beside the others; None where they are set beside bare
    blocks."""
    return size.budget if label == BUDGET else size.tenth if label in (TENTH, ALL_TENTH) else None


# ---- tables


def _table(model: str, size: Size, found: dict[str, Rounds]) -> Table:
    rows = []
    for label, rounds in found.items():
        alone, last = _alone(label, size), rounds["watched"][-1]
        bare = Spread.of([median(r["times"]) for r in rounds["bare"]])
        if label == BUDGET:
            due = sum(sum(r["due"]) for r in rounds["watched"])
            added = f"{share_added(rounds):.2f} ({due} of {alone:,} steps)"
        else:
            added = str(added_by(rounds, bool(alone)))
        wall = short(by_the_clock(rounds)) if not alone else ""
        own = _own(last["cost_ms"], bare.middle) if "cost_ms" in last and label != IDLE else ""
        rows.append([label, str(bare), _at_due(rounds, label, bool(alone)), added, wall, own])
        if label == EACH:
            rows.append(["one pass over memory", "", "", "", "", _own(last["pass_ms"], bare.middle)])
    columns = [
        "",
        "bare step ms",
        "+ % of a step that is due",
        "+ % on average",
        "+ % by the clock",
        "own account, ms (% of a step)",
    ]
    picture = Picture(f"{model}: added to a training step, on average", "% of a step", columns[3:4])
    return Table(model, columns, rows, picture=picture)


def _at_due(rounds: Rounds, label: str, alone: bool) -> str:
    if alone:
        return short(100 * median(longer_when_due(rounds) or [math.nan]))
    pairs = zip(beside_bare(rounds), rounds["watched"], strict=True)
    due = [t for times, r in pairs for t, is_due in zip(times, r["due"], strict=True) if is_due]
    return short((median(due) - 1) * 100) if due and label != IDLE else ""


def _own(ms: float, bare: float) -> str:
    return f"{short(ms)} ({short(ms / bare * 100)})"


# ---- targets


def _targets(sizes: Mapping[str, Size], found: dict[str, dict[str, Rounds]]) -> list[Target]:
    targets = []
    for label, limits in LIMITS.items():
        for model, limit in limits.items():
            if label in found.get(model, {}):
                added = added_by(found[model][label], bool(_alone(label, sizes[model])))
                reached = at_most(added.each, limit)
                targets.append(Target(f"{model}: {label}", f"≤ {limit:g} %", f"{added} %", reached))
    for model, rounds in found.items():
        if IDLE in rounds:
            idle = added_by(rounds[IDLE], False)
            targets.append(Target(f"{model}: idle", "not measurable", f"{idle} %", at_most(idle.each, 0) is not False))
        if BUDGET in rounds:
            share, told = share_added(rounds[BUDGET]), len(longer_when_due(rounds[BUDGET]))
            held = 0.5 <= share <= 1.5 if told >= TOLD else None
            targets.append(Target(f"{model}: budget of 1 %", "1 % ± 0.5", f"{share:.2f} %", held))
    return targets
