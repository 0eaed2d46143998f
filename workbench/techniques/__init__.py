"""The techniques, a module (or folder) each."""
