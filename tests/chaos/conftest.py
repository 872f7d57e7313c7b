"""Figures of the tests in this folder are shown at the end."""

from tests.chaos.figures import figures, pytest_terminal_summary

__all__ = ["figures", "pytest_terminal_summary"]
