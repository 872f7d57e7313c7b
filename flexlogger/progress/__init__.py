"""Loops that show how far they are, and log how fast they go."""
