"""Peers: tools for tuning, each in a process and an environment of its own, on the same rows."""
