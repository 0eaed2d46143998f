"""The embedded data sets."""
