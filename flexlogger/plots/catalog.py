"""The plot types known by name: plain data, so that checking a config draws nothing."""
