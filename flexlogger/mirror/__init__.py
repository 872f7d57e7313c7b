"""A run's folder kept equal on another machine: what the tcp pipe is made of."""
