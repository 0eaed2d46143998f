"""Tests of the contract: what it refuses, and that all of ours pass it."""
