"""YAML, dicts and presets become one checked, frozen dashboard. Imports no torch, no visdom and no sink."""
