"""Fixtures for the tests and for the doctests of the package: they live in tests/, grouped by what they are about."""

pytest_plugins = ["tests.isolation", "tests.servers"]
