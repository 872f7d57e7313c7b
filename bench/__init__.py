"""Measures flexlogger beside a bare loop and beside other loggers: `python -m bench [--quick] [--only NAME …]`."""
