"""Meters: what turns the values of a loop into the numbers that are logged."""
