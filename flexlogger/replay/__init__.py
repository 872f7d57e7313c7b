"""Logs drawn again: one run's windows as they were, or the windows of several runs laid over each other."""
