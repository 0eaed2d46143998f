"""Reference networks and estimators for the built-in tasks."""
