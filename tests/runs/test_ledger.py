from __future__ import annotations

from typing import Any

from flexlogger.records import End, Event, Item, Record
from flexlogger.runs.card import Card
from flexlogger.runs.ledger import Ledger


def card(*items: Item) -> Card:
    ledger = Ledger()
    ledger.write(items)
    return ledger.card()


def run(time: float = 1.0, **info: Any) -> Event:
    return Event(time, "run", {"id": "r", "project": "p", **info})


def test_a_runs_first_event_says_what_it_is() -> None:
    told = card(
        run(name="best so far", tags=["a"], notes="n", config={"lr": 0.1}, env="e", uid="u", url="http://h/env/e")
    )
    assert (told.id, told.project, told.name, told.tags, told.notes) == ("r", "p", "best so far", ["a"], "n")
    assert (told.config, told.env, told.uid, told.url) == ({"lr": 0.1}, "e", "u", "http://h/env/e")
    assert (told.start, told.status, told.resumed, told.end) == (1.0, "running", 0, None)
    assert card(run()).name == "r"


def test_hyper_parameters_change_by_their_names() -> None:
    changed = Event(2.0, "config", {"set": {"lr": 0.2, "net": {"width": 3}}})
    assert card(run(config={"lr": 0.1, "seed": 1}), changed).config == {"lr": 0.2, "seed": 1, "net": {"width": 3}}


def test_a_card_that_was_given_out_does_not_change() -> None:
    ledger = Ledger()
    ledger.write([run(config={"lr": 0.1}), Record(0, 2.0, {"a": 1.0})])
    first = ledger.card()
    ledger.write([Event(3.0, "config", {"set": {"lr": 0.2}}), Record(1, 4.0, {"a": 2.0}), End(5.0)])
    assert (first.config, first.summary, first.last_step, first.status) == ({"lr": 0.1}, {"a": 1.0}, 0, "running")


def test_a_run_taken_up_again_goes_on_with_what_it_was() -> None:
    told = card(
        run(1.0, name="first", tags=["a"], config={"lr": 0.1, "seed": 1}),
        Record(7, 2.0, {"loss": 1.0}),
        End(3.0, "crashed"),
        run(10.0, config={"lr": 0.2}),
        Record(5, 11.0, {"loss": 0.5}),
    )
    assert (told.name, told.tags, told.config) == ("first", ["a"], {"lr": 0.2, "seed": 1})
    assert (told.start, told.beat, told.status, told.end, told.resumed) == (1.0, 11.0, "running", None, 1)
    assert (told.last_step, told.summary) == (7, {"loss": 0.5})


def test_how_a_run_ended() -> None:
    assert (card(run(), End(5.0)).status, card(run(), End(5.0)).end) == ("finished", 5.0)
    assert card(run(), End(5.0, "crashed")).status == "crashed"
    assert card(run(), End(5.0, "forked")).status == "running"
    assert card(run(), End(5.0), Record(0, 6.0, {"a": 1.0})).status == "running"


def test_the_first_bad_value_of_each_name_is_kept() -> None:
    events = [Event(n, "nonfinite", {"name": name, "value": "nan", "step": n}, n) for n, name in enumerate("abab", 2)]
    told = card(run(), *events)
    assert list(told.nonfinite.items()) == [("a", {"value": "nan", "step": 2}), ("b", {"value": "nan", "step": 3})]


def test_drops_are_summed_over_the_processes_that_counted_them() -> None:
    counts = [Event(2.0, "drops", {"queue full": 3}), Event(3.0, "drops", {"queue full": 5, "after close": 1})]
    told = card(run(), *counts, run(9.0), Event(10.0, "drops", {"queue full": 2}))
    assert told.dropped == {"queue full": 7, "after close": 1}


def test_artifacts_are_listed_once() -> None:
    model = {"name": "m", "type": "model", "version": "v0", "digest": "d", "use": False, "aliases": ["latest"]}
    logged = Event(2.0, "artifact", model, 3)
    used = Event(3.0, "artifact", {**model, "use": True})
    assert card(run(), logged, logged, used).artifacts == [model, {**model, "use": True}]


def test_rules_of_metrics_stand_in_the_card() -> None:
    rule = {"name": "val_*", "summary": ["min"], "goal": None, "step_metric": "epoch", "hidden": False}
    told = card(run(), Event(2.0, "metric", rule), Record(0, 3.0, {"val_loss": 0.5}))
    assert told.metrics == [rule]
    assert told.summary == {"val_loss": {"min": 0.5}}


def test_secrets_stay_out_of_the_card() -> None:
    told = card(
        run(config={"api_key": "planted"}, notes="password=planted"),
        Event(2.0, "config", {"set": {"token": "planted"}}),
        Event(3.0, "about", {"notes": "see http://me:planted@host"}),
        Event(4.0, "summary", {"set": {"token": "planted"}}),
    )
    assert "planted" not in repr(told)
    assert told.config == {"api_key": "***", "token": "***"}
