"""Embedded data sets, already split, and the shapes that all data takes."""
