"""Compression, all methods on one network: `python -m tests.benchmarks.compression`."""
