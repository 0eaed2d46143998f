"""Lessons: generated cells, editions, checks and hints, and the report that a notebook leaves
behind.
"""
