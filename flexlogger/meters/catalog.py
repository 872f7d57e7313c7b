"""The meters known by name: plain data, so that checking a config imports no torch. `load` brings the class."""
