"""Describe a dashboard once, in YAML or a dict; feed it with add and log; watch it live."""
