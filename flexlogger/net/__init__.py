"""What everything that leaves the process over ZeroMQ has in common: sockets, keys, tags of messages."""
