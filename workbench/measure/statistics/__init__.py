"""Intervals, quality and verdicts."""
