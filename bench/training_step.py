"""What a dashboard costs a small training."""

from __future__ import annotations

from contextlib import ExitStack

from bench.figures import Spread, ratios
from bench.results import Plot, Result, Table, Target
from bench.session import Rounds, Session

NAME = "training_step"
PLAIN, SCALARS, FULL = "no logger", "loss and learning rate", "the demo's dashboard"
WATCHED = {PLAIN: "", SCALARS: "scalars", FULL: "all"}

HOW = """\
The demo: a conv net of 40,000 parameters on scikit-learn's 8 × 8 digits, batches of 32, one thread: a step is about a
millisecond, far shorter than a real one. With the demo's whole dashboard, every step logs loss, accuracy, learning
rate and samples per second, and every epoch (43 steps) tests and logs loss, accuracy, F1 per class, a confusion matrix,
25 images and histograms of all weights, on a real server. In turns, a few epochs each. *Step*: the median of a training
step with its logging. *Everything*: the whole time, tests and views included, divided by the steps."""


def run(session: Session) -> Result:
    with ExitStack() as stack:
        workers = {}
        for label, watched in WATCHED.items():
            folder, server = stack.enter_context(session.folder()), stack.enter_context(session.server())
            options = {"watched": watched, "folder": str(folder), "port": server.port}
            workers[label] = stack.enter_context(session.worker("training", options))
            workers[label].round(epochs=2)
        requests = dict.fromkeys(workers, [{"epochs": session.pick(15, 4)}] * session.pick(15, 3))
        found = session.interleave(workers, requests)
    targets = [
        Target(
            f"step with {label}", "≤ 1 %", f"{_more(found, label, 'step')} %", _more(found, label, "step").middle <= 1
        )
        for label in (SCALARS, FULL)
    ]
    everything = _more(found, FULL, "each")
    targets.append(Target("everything, with the demo's dashboard", "≤ 1 %", f"{everything} %", everything.middle <= 1))
    picture = Plot(
        "bench-training-step.png",
        "bars",
        "A training step of the demo",
        "µs",
        {key: {label: Spread.of([r[key] for r in rounds]).middle for label, rounds in found.items()} for key in KEYS},
    )
    return Result(NAME, "A training step", HOW, session.quick, [_table(found)], targets, [picture])


KEYS = {"step": "step µs", "each": "everything, µs a step", "test": "test µs"}


def _more(found: Rounds, label: str, key: str) -> Spread:
    """How many percent more than without a logger."""
    beside = ratios([r[key] for r in found[label]], [r[key] for r in found[PLAIN]])
    return Spread(*((times - 1) * 100 for times in beside))


def _table(found: Rounds) -> Table:
    rows = []
    for label, rounds in found.items():
        row = [label]
        for key in KEYS:
            row += [str(Spread.of([r[key] for r in rounds])), "" if label == PLAIN else str(_more(found, label, key))]
        rows.append(row)
    return Table("In turns", ["", *(head for key in KEYS.values() for head in (key, "+ %"))], rows)
