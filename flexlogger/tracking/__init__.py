"""The run API: what `flexlogger.runs` hands to a training script."""
