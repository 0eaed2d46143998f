"""This machine: files, caches, processes, cores and instructions, mounts, and references to a
user's code.
"""
