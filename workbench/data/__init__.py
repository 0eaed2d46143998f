"""Data: rows, splits, labels, preparation, and the embedded data sets."""
