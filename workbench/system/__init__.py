"""The machine: files, caches, processes, cores, mounts, references to code, numbers as text."""
