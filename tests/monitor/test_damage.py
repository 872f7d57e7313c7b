"""Everything that reads messages from outside, StateMonitor's and the tcp pipe's: data or a refusal, whatever comes."""

from __future__ import annotations

import pytest

from tests.monitor.decoders import DECODERS
from tests.monitor.fuzz import corpus, fuzz
from tests.monitor.seeds import seeds


@pytest.mark.parametrize("decoder", DECODERS)
def test_the_corpus_is_understood_or_refused_as_it_says(decoder: str) -> None:
    with DECODERS[decoder]() as feed:
        entries = [entry for entry in corpus() if entry.decoder == decoder]
        assert {entry.fate for entry in entries} >= {"fine", "refused"}
        for entry in entries:
            understood = feed(entry.frames)
            if entry.fate != "found":
                assert understood == (entry.fate == "fine"), f"{decoder} {entry.name}"


def test_the_corpus_holds_what_is_sent_today() -> None:
    """After a change of what is sent: python -m tests.monitor.seeds"""
    assert [str(entry) for entry in corpus() if entry.fate != "found"] == [str(entry) for entry in seeds()]


@pytest.mark.parametrize("decoder", DECODERS)
def test_fifty_thousand_damaged_messages_break_nothing(decoder: str) -> None:
    """Bytes changed, cut, doubled and put together from the corpus; `python -m tests.monitor.fuzz` does a million."""
    assert fuzz(decoder, 50_000, seed=1) == 50_000
