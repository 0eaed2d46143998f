"""Latency and memory, each candidate in a process of its own."""
