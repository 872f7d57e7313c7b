"""Decorators that record what functions return, and a table that grows by a row a validation."""
