"""Meters: what turns the values of a loop into the numbers that are logged. Nothing is imported before it is asked for."""
