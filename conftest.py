"""Fixtures for the tests and for the doctests of the package: they live in tests/, grouped by what they are about."""

from importlib.util import find_spec

_FIXTURES = ("tests.isolation", "tests.servers", "tests.browser", "tests.pipe.places")
pytest_plugins = [name for name in _FIXTURES if find_spec(name)]
