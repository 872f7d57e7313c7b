"""Fixtures for the tests and for the doctests of the package: they live in tests/, grouped by what they are about."""

from importlib.util import find_spec

pytest_plugins = [name for name in ("tests.isolation", "tests.servers", "tests.browser") if find_spec(name)]
