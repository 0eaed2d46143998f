"""Benchmarks, run by command and not by pytest; results stand in README.md beside this file."""
