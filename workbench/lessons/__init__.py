"""Lessons: generated cells of notebooks, copies for learners, and reports in HTML."""
