"""Samplers of `tuning` compared on recorded trainings; see README.md in this folder."""
