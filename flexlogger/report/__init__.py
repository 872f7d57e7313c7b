"""A run as one file that any browser shows, without a server and without a network."""
