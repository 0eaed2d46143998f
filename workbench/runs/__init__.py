"""A run in a process of its own, with its folder as the truth."""
