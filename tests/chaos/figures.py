"""What the chaos tests measured, shown at the end of the run so that it can be quoted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

_lines: list[str] = []


class Figures:
    """Collects a test's figures: `figures(logged=1000, lost=3)`."""

    def __init__(self, test: str) -> None:
        self._test = test
        self.values: dict[str, object] = {}

    def __call__(self, **values: object) -> None:
        self.values.update(values)

    def __str__(self) -> str:
        return f"{self._test}: " + ", ".join(f"{name} {_short(value)}" for name, value in self.values.items())


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value)


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Iterator[Figures]:
    """A test's figures; they are shown whether it passes or fails."""
    collected = Figures(request.node.name)
    yield collected
    if collected.values:
        _lines.append(str(collected))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show all figures."""
    if _lines:
        terminalreporter.section("figures")
    for line in _lines:
        terminalreporter.write_line(line)
