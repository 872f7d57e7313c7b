"""What takes part: one module each, imported in a worker. See `bench.worker`."""
