"""The index of runs and the registry of models (MLflow)."""
